#!/bin/sh
# Cross-compiles the microkernels for arm64 and runs their checks under qemu. Exits with 77 where tools are missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernels=$(cd "$here/../../../Sources/CKernels" && pwd)
for tool in clang aarch64-linux-gnu-ld qemu-aarch64; do command -v "$tool" >/dev/null || exit 77; done
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cd "$build"
# Names of files are unique only within a folder.
for folder in "$kernels" "$kernels"/*/; do
  mkdir "$(basename "$folder")" && cd "$(basename "$folder")"
  set -- "$folder"/*.c
  [ ! -f "$1" ] || clang --target=aarch64-linux-gnu -O2 -Wall -Werror -I "$kernels/include" -c "$@"
  cd ..
done
for check in "$here"/check-*.c; do
  clang --target=aarch64-linux-gnu -fuse-ld="$(command -v aarch64-linux-gnu-ld)" -O2 -Wall -Werror -static \
    -I "$kernels/include" "$check" ./*/*.o -lm -o check
  qemu-aarch64 -cpu max ./check
done
