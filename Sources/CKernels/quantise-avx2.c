// int8 rows for avx2.
#include <stdint.h>
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define INV_TABLE inv_quantise_table__avx2
#include "templates/quantise-table.h"
#pragma clang attribute pop
#endif
