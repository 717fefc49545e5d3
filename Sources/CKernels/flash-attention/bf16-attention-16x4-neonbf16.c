// 16 queries: products of bf16 pairs, 16 accumulators of 4 lanes.
#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("bf16"))), apply_to = function)
#include <arm_neon.h>

#define LANES 4
#define VECTORS 4
#define BF16 1
#define DOT(acc, a, b) \
  ((vector)vbfdotq_f32((float32x4_t)(acc), (bfloat16x8_t)(a), (bfloat16x8_t)(b)))
#define PAIR(even, odd) ((vector)interleaved((float32x4_t)(even), (float32x4_t)(odd)))

/// Each lane's even and odd element in bf16.
static inline uint16x8_t interleaved(float32x4_t even, float32x4_t odd) {
  return vzip1q_u16((uint16x8_t)vcvtq_low_bf16_f32(even), (uint16x8_t)vcvtq_low_bf16_f32(odd));
}

#include "tile.h"

void inv_bf16_attention_ukernel_16x4__neonbf16(const struct inv_attention *a, size_t first, size_t count,
                                               void *scratch) {
  attention_tile(a, first, count, scratch);
}
#pragma clang attribute pop
#endif
