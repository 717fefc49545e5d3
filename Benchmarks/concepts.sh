#!/usr/bin/env bash
# Teaches every concept set of concepts/ and measures the words on held-out pictures: gain over the initializer, what
# known words gain over their neighbours, retrieval among all concepts.
# Usage: Benchmarks/concepts.sh [FLAGS OF inversion train]; INVERSION_BIN=FOLDER, MODEL=FOLDER, WORDS=FOLDER (kept).
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/teach.sh
words=${WORDS:-$work}

teach "$words" "$@"
"$program" evaluate --concepts concepts --embeddings "$words" --known Benchmarks/known-words --model "$model" \
  --json Benchmarks/results/concepts.json </dev/null
