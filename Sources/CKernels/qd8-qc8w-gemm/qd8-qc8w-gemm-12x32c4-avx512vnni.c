// 12 rows x 32 columns: 24 accumulators, 2 weight registers, activations broadcast from memory four bytes at a time.
#if defined(__x86_64__)
#include <immintrin.h>

#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#include "epilogue.h"

enum { MR = 12, NV = 2, STEP = INV_QC8W_NR * INV_QC8W_KR };

/// Four elements of K of each row, from `k` on, by those of each column.
static inline __attribute__((always_inline)) void multiply_step(__m512i acc[MR][NV], const uint8_t *w,
                                                                const int8_t *const *a, size_t k) {
  const __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 64);
#pragma clang loop unroll(full)
  for (int r = 0; r < MR; r++) {
    const __m512i four = _mm512_set1_epi32(load_four(a[r] + k));
    acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], w0, four);
    acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], w1, four);
  }
}

/// Row `r` of the output from its sums, and all that is to be added to it, 16 columns from `column` on.
static inline void write_sixteen(const struct inv_qd8_tile *t, int r, size_t column, __mmask16 mask, __m512 sum) {
  __m512 y = _mm512_mul_ps(sum, _mm512_maskz_loadu_ps(mask, t->column_scales + column));
  if (t->bias) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, t->bias + column));
  if (t->row_vectors) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, t->row_vectors[r] + column));
  const size_t at = (size_t)r * t->stride + column;
  if (t->residual) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, t->residual + at));
  _mm512_mask_storeu_ps(t->output + at, mask, y);
}

void inv_qd8_qc8w_gemm_ukernel_12x32c4__avx512vnni(const struct inv_qd8_tile *t) {
  check_tile(t, MR);
  __attribute__((aligned(64))) float sums[MR * INV_QC8W_NR];
  // Nothing to read ahead is the panel itself: an address without a page would be looked for at every step.
  const uint8_t *w = t->panel, *weights = t->weights_ahead.from ? t->weights_ahead.from : w;
  const uint8_t *rows = t->rows_ahead.from ? t->rows_ahead.from : w;
  const uint32_t columns = t->columns == 32 ? 0xFFFFFFFF : (1u << t->columns) - 1;
  for (size_t s = 0; s < t->segments; s++) {
    const int8_t *const *a = t->elements + s * MR;
    const struct inv_qd8_row *const *scales = t->scales + s * MR;
    __m512i acc[MR][NV];
#pragma clang loop unroll(full)
    for (int r = 0; r < MR; r++) acc[r][0] = acc[r][1] = _mm512_set1_epi32(-128 * scales[r]->sum);
#pragma clang loop unroll(disable)
    for (size_t k = 0; k < t->depths[s]; k += INV_QC8W_KR, w += STEP) {
      _mm_prefetch((const char *)weights, _MM_HINT_T1);
      _mm_prefetch((const char *)rows, _MM_HINT_T1);
      weights += t->weights_ahead.step, rows += t->rows_ahead.step;
      multiply_step(acc, w, a, k);
    }
    const int last = s + 1 == t->segments;
#pragma clang loop unroll(full)
    for (int r = 0; r < MR; r++) {
      const __m512 scale = _mm512_set1_ps(scales[r]->scale);
      float *sum = sums + r * INV_QC8W_NR;
      __m512 low = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][0]), scale);
      __m512 high = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][1]), scale);
      if (s > 0) low = _mm512_add_ps(low, _mm512_load_ps(sum)), high = _mm512_add_ps(high, _mm512_load_ps(sum + 16));
      if (!last) {
        _mm512_store_ps(sum, low), _mm512_store_ps(sum + 16, high);
      } else if ((size_t)r < t->rows) {
        write_sixteen(t, r, 0, (__mmask16)columns, low);
        write_sixteen(t, r, 16, (__mmask16)(columns >> 16), high);
      }
    }
  }
}
#pragma clang attribute pop
#endif
