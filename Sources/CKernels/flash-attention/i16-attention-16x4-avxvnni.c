// 16 queries: products of int16 pairs on client processors with the 256-bit dot product (Alder Lake and later).
#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#define LANES 8
#define VECTORS 2
#define BF16 0
#define DOT16(acc, a, b) ((bits)_mm256_dpwssd_avx_epi32((__m256i)(acc), (__m256i)(a), (__m256i)(b)))
#include "integer-gradient.h"

void inv_i16_attention_ukernel_16x4__avxvnni(const struct inv_attention *a, size_t first, size_t count,
                                             void *scratch) {
  integer_attention_tile(a, first, count, scratch);
}

void inv_i16_attention_gradient_ukernel_16x4__avxvnni(const struct inv_attention_gradient *a, void *scratch) {
  integer_attention_gradient(a, scratch);
}
#pragma clang attribute pop
#endif
