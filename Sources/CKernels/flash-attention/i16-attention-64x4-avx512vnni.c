// 64 queries: products of int16 pairs, 16 accumulators. For processors without bf16.
#if defined(__x86_64__)
#include <immintrin.h>

#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#define LANES 16
#define VECTORS 4
#define BF16 0
#define DOT16(acc, a, b) ((bits)_mm512_dpwssd_epi32((__m512i)(acc), (__m512i)(a), (__m512i)(b)))
#define EXP2(x) ((vector)short_exp2_avx512((__m512)(x)))
#define SHORT_EXP2(x) EXP2(x)

#include "short-exp2-avx512.h"
#include "integer-gradient.h"

void inv_i16_attention_ukernel_64x4__avx512vnni(const struct inv_attention *a, size_t first, size_t count,
                                                void *scratch) {
  integer_attention_tile(a, first, count, scratch);
}

void inv_i16_attention_gradient_ukernel_64x4__avx512vnni(const struct inv_attention_gradient *a, void *scratch) {
  integer_attention_gradient(a, scratch);
}
#pragma clang attribute pop
#endif
