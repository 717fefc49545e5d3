#!/usr/bin/env bash
# The README's measured table is the one that the committed results make.
# Usage: Tools/check/table.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
python3 Benchmarks/table.py --check README.md
