// f32 kernels for avx2.
#include <stdint.h>
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define REAL float
#define INV_TABLE inv_f32_table__avx2
#include "templates/table.h"
#pragma clang attribute pop
#endif
