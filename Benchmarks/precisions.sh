#!/usr/bin/env bash
# Teaches every concept of concepts/ in f32, f16 and int8, with equal seeds and steps, and compares the words by their
# validation loss on the unquantised model.
# Usage: Benchmarks/precisions.sh [FLAGS OF inversion train]; INVERSION_BIN=FOLDER, MODEL=FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${INVERSION_BIN:-.build/release}/inversion
model=${MODEL:-models/emoji-64}
[ -x "$program" ] || { echo "precisions: '$program' is missing; run 'make release' first" >&2; exit 66; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for precision in f32 f16 int8; do
  mkdir "$work/$precision"
  started=$(date +%s.%N)
  # Rows of the table in concepts/README.md: | folder | `token` | initializer | origin |
  sed -nE 's/^\| ([a-z-]+) \| `(<[^`]+>)` \| ([^|]+) \|.*/\1\t\2\t\3/p' concepts/README.md |
    while IFS=$'\t' read -r concept token word; do
      "$program" train --images "concepts/$concept" --token "$token" --init-word "$word" --model "$model" \
        --precision "$precision" --output "$work/$precision/$concept.safetensors" "$@" 2>/dev/null </dev/null
    done
  date +%s.%N | awk -v from="$started" '{ printf "%.1f\n", $1 - from }' >"$work/$precision.seconds"
  "$program" evaluate --concepts concepts --embeddings "$work/$precision" --model "$model" \
    --json "$work/$precision.json" </dev/null
done
python3 Benchmarks/precisions.py "$work" Benchmarks/results/precisions.json
