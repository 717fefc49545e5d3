#!/usr/bin/env bash
# Runs every check, all of them even when one fails, and ends with 1 if any did.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${INVERSION_TOOLCHAIN:-}" ]; then
  export INVERSION_TOOLCHAIN=found
  exec "$here/../swift.sh" "$0" "$@"
fi

failed=()
for check in "$here"/{format.sh,sizes.py,layers.py,docs.py,manifest.py,habits.py,c-warnings.sh,table.sh}; do
  "$check" "$@" </dev/null || failed+=("$(basename "$check")")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "check: failed: ${failed[*]}"
  exit 1
fi
echo "check: format, sizes, layers, docs, manifest, habits, C warnings and the README's table are in order"
