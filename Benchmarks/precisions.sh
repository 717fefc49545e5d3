#!/usr/bin/env bash
# Teaches every concept of concepts/ in f32, f16, bf16 and int8, with equal seeds and steps, and compares the words by
# their validation loss on the unquantised model.
# Usage: Benchmarks/precisions.sh [FLAGS OF inversion train]; INVERSION_BIN=FOLDER, MODEL=FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/teach.sh

for precision in f32 f16 bf16 int8; do
  started=$(date +%s.%N)
  teach "$work/$precision" --precision "$precision" "$@"
  date +%s.%N | awk -v from="$started" '{ printf "%.1f\n", $1 - from }' >"$work/$precision.seconds"
  "$program" evaluate --concepts concepts --embeddings "$work/$precision" --model "$model" \
    --json "$work/$precision.json" </dev/null
done
python3 Benchmarks/precisions.py "$work" Benchmarks/results/precisions.json
