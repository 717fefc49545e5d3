#!/usr/bin/env bash
# Teaches every concept of concepts/ in several ways, in int8 but for one, and measures each word by itself on the
# unquantised model: fidelity, retrieval, editability, diversity, health.
# Usage: Benchmarks/trainings.sh [FLAGS OF inversion train]; INVERSION_BIN=FOLDER, MODEL=FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/teach.sh

teach "$work/dti" --precision int8 "$@"
teach "$work/dti-f32" --precision f32 "$@"
for vectors in 2 4 8; do teach "$work/dti-$vectors" --precision int8 --vectors "$vectors" "$@"; done
teach "$work/dti-context" --precision int8 --context 0.1 "$@"
teach "$work/ti" --precision int8 --method ti "$@"
teach "$work/ti-encoder" --precision int8 --method ti --init encoder "$@"
"$program" evaluate "$work"/*/*.safetensors --concepts concepts --model "$model" --json "$work/words.json" >/dev/null
python3 Benchmarks/trainings.py "$work" Benchmarks/results/trainings.json
