// int8 rows for avx512.
#include <stdint.h>
#if defined(__x86_64__)
#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#define INV_TABLE inv_quantise_table__avx512
#include "templates/quantise-table.h"
#pragma clang attribute pop
#endif
