// 6 rows x 16 columns: 12 accumulators of 8 lanes.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define LANES 8
#define MR 6
#define NV 2
#define HAS_F16 1
#include "tile.h"

void inv_half_gemm_ukernel_6x16__avx2(const struct inv_half_product *p, size_t first, size_t count, float *scratch) {
  half_gemm(p, first, count, scratch);
}
#pragma clang attribute pop
#endif
