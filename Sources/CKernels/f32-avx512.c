// f32 kernels for avx512.
#include <stdint.h>
#if defined(__x86_64__)
#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,fma,prefer-256-bit")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#define REAL float
#define INV_TABLE inv_f32_table__avx512
#include "templates/table.h"
#pragma clang attribute pop
#endif
