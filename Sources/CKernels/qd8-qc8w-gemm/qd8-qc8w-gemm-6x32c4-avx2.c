// Haswell and later. vpmaddubsw would saturate (255 * 127 * 2 > 32767), so the products are taken in 16 bits: even and
// odd bytes apart, each pair summed by vpmaddwd, which is exact. 6 rows x 16 columns at a time: 12 accumulators, two
// weight registers, and activations broadcast as pairs that were taken apart once for both halves of the panel.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include <immintrin.h>

#include "epilogue.h"

enum { MR = 6, NV = 2, HALF = 8 * NV, STEP = INV_QC8W_NR * INV_QC8W_KR };
/// Elements of K whose pairs are in the first-level cache at once, a multiple of the bytes of a register.
enum { BLOCK = 512, VECTOR = 32 };

/// The even and the odd ones of four elements of K, sign-extended: what one vpmaddwd takes.
struct pairs {
  int32_t even[MR][BLOCK / INV_QC8W_KR], odd[MR][BLOCK / INV_QC8W_KR];
};

static inline void take_apart(const int8_t *const *a, size_t from, size_t depth, struct pairs *out) {
  for (int r = 0; r < MR; r++) {
    size_t k = 0;
    for (; k + VECTOR <= depth; k += VECTOR) {
      const __m256i x = _mm256_loadu_si256((const __m256i *)(a[r] + from + k));
      const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8);
      _mm256_store_si256((__m256i *)(out->even[r] + k / INV_QC8W_KR), even);
      _mm256_store_si256((__m256i *)(out->odd[r] + k / INV_QC8W_KR), _mm256_srai_epi16(x, 8));
    }
    for (; k < depth; k += INV_QC8W_KR) {
      const __m128i x = _mm_cvtsi32_si128(load_four(a[r] + from + k));
      out->even[r][k / INV_QC8W_KR] = _mm_cvtsi128_si32(_mm_srai_epi16(_mm_slli_epi16(x, 8), 8));
      out->odd[r][k / INV_QC8W_KR] = _mm_cvtsi128_si32(_mm_srai_epi16(x, 8));
    }
  }
}

/// One row's part of a step: dot products of four u8 weights and four s8 activations in each lane.
static inline __m256i dot(__m256i acc, __m256i even_w, __m256i odd_w, int32_t even, int32_t odd) {
  acc = _mm256_add_epi32(acc, _mm256_madd_epi16(even_w, _mm256_set1_epi32(even)));
  return _mm256_add_epi32(acc, _mm256_madd_epi16(odd_w, _mm256_set1_epi32(odd)));
}

/// `depth` elements of K of half a panel, onto its dot products.
static inline void multiply(int32_t *dots, const uint8_t *w, const struct pairs *p, size_t depth) {
  __m256i acc[MR][NV];
#pragma clang loop unroll(full)
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) acc[r][v] = _mm256_load_si256((__m256i *)(dots + r * INV_QC8W_NR + v * 8));
#pragma clang loop unroll(disable)
  for (size_t k = 0; k < depth / INV_QC8W_KR; k++, w += STEP) {
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) {
      // Loaded again for each: kept, they would take the registers of the sums.
      __asm__("" : "+r"(p));
      const __m256i weights = _mm256_loadu_si256((const __m256i *)(w + v * VECTOR));
      const __m256i even = _mm256_and_si256(weights, _mm256_set1_epi16(0xFF)), odd = _mm256_srli_epi16(weights, 8);
#pragma clang loop unroll(full)
      for (int r = 0; r < MR; r++) acc[r][v] = dot(acc[r][v], even, odd, p->even[r][k], p->odd[r][k]);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) _mm256_store_si256((__m256i *)(dots + r * INV_QC8W_NR + v * 8), acc[r][v]);
}

void inv_qd8_qc8w_gemm_ukernel_6x32c4__avx2(const struct inv_qd8_tile *t) {
  check_tile(t, MR);
  __attribute__((aligned(32))) float sums[MR * INV_QC8W_NR];
  __attribute__((aligned(32))) int32_t dots[MR * INV_QC8W_NR];
  __attribute__((aligned(32))) struct pairs pairs;
  const uint8_t *w = t->panel;
  for (size_t s = 0; s < t->segments; s++) {
    const struct inv_qd8_row *const *scales = t->scales + s * MR;
    for (int i = 0; i < MR * INV_QC8W_NR; i++) dots[i] = -128 * scales[i / INV_QC8W_NR]->sum;
    for (size_t from = 0; from < t->depths[s]; from += BLOCK) {
      const size_t depth = t->depths[s] - from < BLOCK ? t->depths[s] - from : BLOCK;
      take_apart(t->elements + s * MR, from, depth, &pairs);
      for (int first = 0; first < INV_QC8W_NR; first += HALF)
        multiply(dots + first, w + first * INV_QC8W_KR, &pairs, depth);
      w += depth / INV_QC8W_KR * STEP;
    }
    for (int i = 0; i < MR * INV_QC8W_NR; i++) {
      const float product = (float)dots[i] * scales[i / INV_QC8W_NR]->scale;
      sums[i] = s == 0 ? product : sums[i] + product;
    }
  }
  write_tile(t, sums);
}
#pragma clang attribute pop
#endif
