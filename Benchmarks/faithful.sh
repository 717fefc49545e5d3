#!/usr/bin/env bash
# Measures how close the int8 package of the embedded model is to its f32 weights: 32 prompts, 20 steps, equal seeds.
# Writes Benchmarks/results/faithful-emoji-64.json and prints the sums.
# Usage: Benchmarks/faithful.sh (`make bench-faithful`)
set -euo pipefail
cd "$(dirname "$0")/.."
model=models/emoji-64
result=Benchmarks/results/faithful-emoji-64.json
bin=${INVERSION_BIN:-.build/release}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"$bin/inversion" models import "$model" --name emoji-64 --models "$place" >"$place/import.log" 2>&1 ||
  { cat "$place/import.log" >&2; exit 70; }
"$bin/FaithfulBenchmark" "$place/emoji-64" "$model" Benchmarks/faithful/prompts.txt >"$place/result.json"
mv "$place/result.json" "$result"
python3 - "$result" <<'PRINT'
import json, sys
found = json.load(open(sys.argv[1]))
print(f"{len(found['rows'])} prompts, {found['steps']} steps, guidance {found['guidance']}: "
      f"latents {found['latents']:.1f} dB (worst {found['worst_latents']:.1f}), "
      f"pictures {found['picture']:.1f} dB (worst {found['worst_picture']:.1f})")
PRINT
