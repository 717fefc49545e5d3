// Client processors with the 256-bit dot product (Alder Lake and later). 3 rows x 32 columns: 12 accumulators, 3
// broadcasts, one weight register.
#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#include "epilogue.h"

enum { MR = 3, NV = 4 };

void inv_qd8_qc8w_gemm_ukernel_3x32c4__avxvnni(const struct inv_qd8_tile *t) {
  check_tile(t, MR);
  __attribute__((aligned(32))) float sums[MR * INV_QC8W_NR];
  const uint8_t *w = t->panel;
  for (size_t s = 0; s < t->segments; s++) {
    const int8_t *const *a = t->elements + s * MR;
    const struct inv_qd8_row *const *scales = t->scales + s * MR;
    __m256i acc[MR][NV];
    for (int r = 0; r < MR; r++)
      for (int v = 0; v < NV; v++) acc[r][v] = _mm256_set1_epi32(-128 * scales[r]->sum);
    for (size_t k = 0; k < t->depths[s]; k += INV_QC8W_KR, w += INV_QC8W_NR * INV_QC8W_KR) {
      __m256i four[MR];
      for (int r = 0; r < MR; r++) four[r] = _mm256_set1_epi32(load_four(a[r] + k));
      for (int v = 0; v < NV; v++) {
        const __m256i weights = _mm256_loadu_si256((const __m256i *)(w + v * 32));
        for (int r = 0; r < MR; r++) acc[r][v] = _mm256_dpbusd_avx_epi32(acc[r][v], weights, four[r]);
      }
    }
    for (int r = 0; r < MR; r++)
      for (int v = 0; v < NV; v++) {
        float *sum = sums + r * INV_QC8W_NR + v * 8;
        const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[r][v]), _mm256_set1_ps(scales[r]->scale));
        _mm256_store_ps(sum, s == 0 ? product : _mm256_add_ps(_mm256_load_ps(sum), product));
      }
  }
  write_tile(t, sums);
}
#pragma clang attribute pop
#endif
