// 64 queries: products of bf16 pairs, 16 accumulators.
#if defined(__x86_64__)
#include <immintrin.h>

#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#define LANES 16
#define VECTORS 4
#define BF16 1
#define EXP2(x) ((vector)short_exp2_avx512((__m512)(x)))
#define DOT(acc, a, b) ((vector)_mm512_dpbf16_ps((__m512)(acc), (__m512bh)(a), (__m512bh)(b)))
#define HALVES(even, odd) ((vector)_mm512_cvtne2ps_pbh((__m512)(odd), (__m512)(even)))
#define PAIRS(halves) ((vector)interleaved((__m512i)(halves)))

/// The lower and the upper half of the elements, in turns.
static inline __m512i interleaved(__m512i halves) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, halves);
}

#include "short-exp2-avx512.h"
#include "gradient.h"

void inv_bf16_attention_ukernel_64x4__avx512bf16(const struct inv_attention *a, size_t first, size_t count,
                                              void *scratch) {
  attention_tile(a, first, count, scratch);
}

void inv_bf16_attention_gradient_ukernel_64x4__avx512bf16(const struct inv_attention_gradient *a, void *scratch) {
  attention_gradient(a, scratch);
}
#pragma clang attribute pop
#endif
