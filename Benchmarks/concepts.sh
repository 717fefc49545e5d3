#!/usr/bin/env bash
# Teaches every concept set of concepts/ and measures the words on held-out pictures: gain over the initializer, what
# known words gain over their neighbours, retrieval among all concepts.
# Usage: Benchmarks/concepts.sh [FLAGS OF inversion train]; INVERSION_BIN=FOLDER, MODEL=FOLDER, WORDS=FOLDER (kept).
set -euo pipefail
cd "$(dirname "$0")/.."
program=${INVERSION_BIN:-.build/release}/inversion
model=${MODEL:-models/emoji-64}
results=Benchmarks/results
[ -x "$program" ] || { echo "concepts: '$program' is missing; run 'make release' first" >&2; exit 66; }
words=${WORDS:-$(mktemp -d)}
[ -n "${WORDS:-}" ] || trap 'rm -rf "$words"' EXIT
mkdir -p "$words" "$results"

# Rows of the table in concepts/README.md: | folder | `token` | initializer | origin |
sed -nE 's/^\| ([a-z-]+) \| `(<[^`]+>)` \| ([^|]+) \|.*/\1\t\2\t\3/p' concepts/README.md |
  while IFS=$'\t' read -r concept token word; do
    "$program" train --images "concepts/$concept" --token "$token" --init-word "$word" --model "$model" \
      --output "$words/$concept.safetensors" "$@" 2>/dev/null </dev/null
  done
"$program" evaluate --concepts concepts --embeddings "$words" --known Benchmarks/known-words --model "$model" \
  --json "$results/concepts.json" </dev/null
