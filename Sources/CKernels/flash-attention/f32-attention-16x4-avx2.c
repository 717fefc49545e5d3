// 16 queries: 8 accumulators of 8 lanes, as many as the latency of two multipliers needs.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define LANES 8
#define VECTORS 2
#define BF16 0
#include "gradient.h"

void inv_f32_attention_ukernel_16x4__avx2(const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  attention_tile(a, first, count, scratch);
}

void inv_f32_attention_gradient_ukernel_16x4__avx2(const struct inv_attention_gradient *a, void *scratch) {
  attention_gradient(a, scratch);
}
#pragma clang attribute pop
#endif
