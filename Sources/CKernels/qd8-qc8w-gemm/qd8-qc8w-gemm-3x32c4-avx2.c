// Haswell and later. vpmaddubsw would saturate (255 * 127 * 2 > 32767), so the products are taken in 16 bits: even and
// odd bytes apart, each pair summed by vpmaddwd, which is exact.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include <immintrin.h>

static inline __m256i dot_avx2(__m256i acc, __m256i weights, __m256i four) {
  // In each 16-bit lane, the even byte and the odd byte, zero-extended for u8 and sign-extended for s8.
  const __m256i even_w = _mm256_and_si256(weights, _mm256_set1_epi16(0xFF)), odd_w = _mm256_srli_epi16(weights, 8);
  const __m256i even_a = _mm256_srai_epi16(_mm256_slli_epi16(four, 8), 8), odd_a = _mm256_srai_epi16(four, 8);
  return _mm256_add_epi32(
      acc, _mm256_add_epi32(_mm256_madd_epi16(even_w, even_a), _mm256_madd_epi16(odd_w, odd_a)));
}

#define DOT(acc, weights, four) dot_avx2(acc, weights, four)
#include "tile-256bit.h"

void inv_qd8_qc8w_gemm_ukernel_3x32c4__avx2(const struct inv_qd8_tile *t) { tile_256bit(t); }
#pragma clang attribute pop
#endif
