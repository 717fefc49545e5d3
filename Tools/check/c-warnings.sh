#!/usr/bin/env bash
# C sources compile without a warning (nothing is written).
# Usage: Tools/check/c-warnings.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
warnings=(-Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wno-unused-function -Werror)
found=0
for folder in Sources/C*/; do
  for file in "$folder"*.c "$folder"*/*.c; do
    [ -f "$file" ] || continue
    clang -std=gnu11 -fsyntax-only "${warnings[@]}" -I "$folder/include" "$file" </dev/null \
      || { echo "c-warnings: '$file' has warnings"; found=1; }
  done
done
exit $found
