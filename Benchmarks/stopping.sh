#!/usr/bin/env bash
# Teaches every concept of concepts/ with all steps and with the automatic stop, and compares steps and losses: on the
# pictures that chose the state, and on others.
# Usage: Benchmarks/stopping.sh [FLAGS OF inversion train]; INVERSION_BIN=FOLDER, MODEL=FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/teach.sh

teach "$work/fixed" --no-auto-stop "$@"
teach "$work/automatic" --auto-stop "$@"
for way in fixed automatic; do
  "$program" evaluate --concepts concepts --embeddings "$work/$way" --model "$model" --json "$work/$way.json" >/dev/null
done
python3 Benchmarks/stopping.py "$work" Benchmarks/results/stopping.json "$@"
