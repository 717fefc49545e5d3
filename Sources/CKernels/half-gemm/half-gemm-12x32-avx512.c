// 12 rows x 32 columns: 24 accumulators of 16 lanes.
#if defined(__x86_64__)
#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,fma,f16c")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#define LANES 16
#define MR 12
#define NV 2
#define HAS_F16 1
#include "tile.h"

void inv_half_gemm_ukernel_12x32__avx512(const struct inv_half_product *p, size_t first, size_t count, float *scratch) {
  half_gemm(p, first, count, scratch);
}
#pragma clang attribute pop
#endif
