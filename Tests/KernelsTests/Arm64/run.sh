#!/bin/sh
# Cross-compiles the int8 microkernels for arm64 and runs their check under qemu. Exits with 77 where tools are missing.
set -eu
here=$(dirname "$0")
kernels="$here/../../../Sources/CKernels"
for tool in clang aarch64-linux-gnu-ld qemu-aarch64; do command -v "$tool" >/dev/null || exit 77; done
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
clang --target=aarch64-linux-gnu -fuse-ld="$(command -v aarch64-linux-gnu-ld)" -O2 -Wall -Werror -static \
  -I "$kernels/include" "$here/check.c" "$kernels"/qd8-qc8w-gemm/*.c "$kernels"/quantise-*.c "$kernels"/f??-*.c "$kernels"/dispatch.c -lm -o "$build/check"
qemu-aarch64 -cpu max "$build/check"
