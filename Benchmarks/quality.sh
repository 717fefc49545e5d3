#!/usr/bin/env bash
# Whether the embedded model's words are worth as much in its int8 package as in its f32 weights: teaches every concept
# of concepts/ once and judges the words on held-out pictures with both, and the words that the model was taught.
# Writes Benchmarks/results/quality.json.
# Usage: Benchmarks/quality.sh [FLAGS OF inversion train]; INVERSION_BIN=FOLDER, WORDS=FOLDER of words taught before.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/teach.sh
words=${WORDS:-$work/words}

[ -n "${WORDS:-}" ] || teach "$words" "$@"
"$program" models import "$model" --name packed --models "$work" >"$work/import.log" 2>&1 ||
  { cat "$work/import.log" >&2; exit 70; }
for name in f32 int8; do
  weights=$model
  [ "$name" = f32 ] || weights=$work/packed
  "$program" evaluate --concepts concepts --embeddings "$words" --known Benchmarks/known-words --model "$weights" \
    --json "$work/$name.json" </dev/null >"$work/$name.txt"
done
python3 Benchmarks/quality.py "$work" Benchmarks/results/quality.json
