#!/usr/bin/env bash
# The measured tables of the documents are those that the committed results make.
# Usage: Tools/check/table.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
python3 Benchmarks/table.py --check README.md docs/*.md
