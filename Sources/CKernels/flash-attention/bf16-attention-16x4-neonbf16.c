// 16 queries: products of bf16 pairs, 16 accumulators of 4 lanes.
#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("bf16"))), apply_to = function)
#include <arm_neon.h>

#define LANES 4
#define VECTORS 4
#define BF16 1
#define DOT(acc, a, b) \
  ((vector)vbfdotq_f32((float32x4_t)(acc), (bfloat16x8_t)(a), (bfloat16x8_t)(b)))
#define HALVES(even, odd) ((vector)halves_of((float32x4_t)(even), (float32x4_t)(odd)))
#define PAIRS(halves) ((vector)interleaved((uint16x8_t)(halves)))

static inline bfloat16x8_t halves_of(float32x4_t even, float32x4_t odd) {
  return vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(even), odd);
}

/// The lower and the upper half of the elements, in turns.
static inline uint16x8_t interleaved(uint16x8_t halves) { return vzip1q_u16(halves, vextq_u16(halves, halves, 4)); }

#include "gradient.h"

void inv_bf16_attention_ukernel_16x4__neonbf16(const struct inv_attention *a, size_t first, size_t count,
                                               void *scratch) {
  attention_tile(a, first, count, scratch);
}

void inv_bf16_attention_gradient_ukernel_16x4__neonbf16(const struct inv_attention_gradient *a, void *scratch) {
  attention_gradient(a, scratch);
}
#pragma clang attribute pop
#endif
