#!/bin/sh
# Cross-compiles the microkernels for arm64 and runs their checks under qemu. Exits with 77 where tools are missing.
set -eu
here=$(dirname "$0")
kernels="$here/../../../Sources/CKernels"
for tool in clang aarch64-linux-gnu-ld qemu-aarch64; do command -v "$tool" >/dev/null || exit 77; done
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
for check in "$here"/check-*.c; do
  clang --target=aarch64-linux-gnu -fuse-ld="$(command -v aarch64-linux-gnu-ld)" -O2 -Wall -Werror -static \
    -I "$kernels/include" "$check" "$kernels"/*.c "$kernels"/*/*.c -lm -o "$build/check"
  qemu-aarch64 -cpu max "$build/check"
done
