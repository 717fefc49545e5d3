// 12 rows x 32 columns: 24 accumulators, 2 weight registers, activations broadcast from memory four bytes at a time.
#if defined(__x86_64__)
#include <immintrin.h>

#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#include "epilogue.h"

enum { MR = 12, NV = 2 };

void inv_qd8_qc8w_gemm_ukernel_12x32c4__avx512vnni(const struct inv_qd8_tile *t) {
  check_tile(t, MR);
  __attribute__((aligned(64))) float sums[MR * INV_QC8W_NR];
  const uint8_t *w = t->panel;
  for (size_t s = 0; s < t->segments; s++) {
    const int8_t *const *a = t->elements + s * MR;
    const struct inv_qd8_row *const *scales = t->scales + s * MR;
    __m512i acc[MR][NV];
#pragma clang loop unroll(full)
    for (int r = 0; r < MR; r++) acc[r][0] = acc[r][1] = _mm512_set1_epi32(-128 * scales[r]->sum);
    for (size_t k = 0; k < t->depths[s]; k += INV_QC8W_KR, w += INV_QC8W_NR * INV_QC8W_KR) {
      const __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 64);
#pragma clang loop unroll(full)
      for (int r = 0; r < MR; r++) {
        const __m512i four = _mm512_set1_epi32(load_four(a[r] + k));
        acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], w0, four);
        acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], w1, four);
      }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < MR; r++) {
      const __m512 scale = _mm512_set1_ps(scales[r]->scale);
#pragma clang loop unroll(full)
      for (int v = 0; v < NV; v++) {
        float *sum = sums + r * INV_QC8W_NR + v * 16;
        const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][v]), scale);
        _mm512_store_ps(sum, s == 0 ? product : _mm512_add_ps(_mm512_load_ps(sum), product));
      }
    }
  }
  write_tile(t, sums);
}
#pragma clang attribute pop
#endif
