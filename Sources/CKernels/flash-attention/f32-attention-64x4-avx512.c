// 64 queries: 16 accumulators of 16 lanes.
#if defined(__x86_64__)
#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#define LANES 16
#define VECTORS 4
#define BF16 0
#include "tile.h"

void inv_f32_attention_ukernel_64x4__avx512(const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  attention_tile(a, first, count, scratch);
}
#pragma clang attribute pop
#endif
