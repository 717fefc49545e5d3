// 8 rows x 32 columns, 8 columns at a time: 16 accumulators of 2 x 2, because usmmla multiplies two columns of eight
// weights by two rows of eight activations. A panel keeps four weights of a column together: a zip of two neighbouring
// groups makes eight, one instruction for the four that use it, so that this packing serves here too.
#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("i8mm"))), apply_to = function)
#include <arm_neon.h>

#include "epilogue.h"

enum { MR = 8, PAIRS = MR / 2, COLUMNS = 8, COLUMN_PAIRS = COLUMNS / 2, GROUP = INV_QC8W_NR * INV_QC8W_KR };

/// Elements k...k+7 of two rows, or k...k+3 and zeros.
static inline int8x16_t two_rows(const int8_t *upper, const int8_t *lower, size_t k, int whole) {
  if (whole) return vcombine_s8(vld1_s8(upper + k), vld1_s8(lower + k));
  const int32x4_t four = {load_four(upper + k), 0, load_four(lower + k), 0};
  return vreinterpretq_s8_s32(four);
}

/// acc += the product of 8 columns of one or two groups with the rows' elements from `k` on.
static inline void step(int32x4_t acc[PAIRS][COLUMN_PAIRS], const uint8_t *w, const int8_t *const *a, size_t k,
                        int whole) {
  uint8x16_t columns[COLUMN_PAIRS];
  for (int half = 0; half < 2; half++) {
    const uint32x4_t first = vreinterpretq_u32_u8(vld1q_u8(w + half * 16));
    const uint32x4_t second = whole ? vreinterpretq_u32_u8(vld1q_u8(w + GROUP + half * 16)) : vdupq_n_u32(0);
    columns[half * 2] = vreinterpretq_u8_u32(vzip1q_u32(first, second));
    columns[half * 2 + 1] = vreinterpretq_u8_u32(vzip2q_u32(first, second));
  }
  for (int p = 0; p < PAIRS; p++) {
    const int8x16_t rows = two_rows(a[p * 2], a[p * 2 + 1], k, whole);
    for (int c = 0; c < COLUMN_PAIRS; c++) acc[p][c] = vusmmlaq_s32(acc[p][c], columns[c], rows);
  }
}

/// Adds a segment's integers, (column, row) in each accumulator, to sums (MR, 32).
static inline void add_scaled(int32x4_t acc[PAIRS][COLUMN_PAIRS], const struct inv_qd8_row *const *scales, int first,
                              float *sums) {
  for (int p = 0; p < PAIRS; p++)
    for (int c = 0; c < COLUMN_PAIRS; c += 2) {
      float *upper = sums + p * 2 * INV_QC8W_NR + c * 2, *lower = upper + INV_QC8W_NR;
      const float32x4_t a = vcvtq_f32_s32(vuzp1q_s32(acc[p][c], acc[p][c + 1]));
      const float32x4_t b = vcvtq_f32_s32(vuzp2q_s32(acc[p][c], acc[p][c + 1]));
      const float32x4_t x = vmulq_n_f32(a, scales[p * 2]->scale), y = vmulq_n_f32(b, scales[p * 2 + 1]->scale);
      vst1q_f32(upper, first ? x : vaddq_f32(vld1q_f32(upper), x));
      vst1q_f32(lower, first ? y : vaddq_f32(vld1q_f32(lower), y));
    }
}

void inv_qd8_qc8w_gemm_ukernel_8x32c4__neoni8mm(const struct inv_qd8_tile *t) {
  check_tile(t, MR);
  float sums[MR * INV_QC8W_NR];
  for (size_t column = 0; column < INV_QC8W_NR; column += COLUMNS) {
    const uint8_t *w = t->panel + column * INV_QC8W_KR;
    for (size_t s = 0; s < t->segments; s++) {
      const int8_t *const *a = t->elements + s * MR;
      const struct inv_qd8_row *const *scales = t->scales + s * MR;
      int32x4_t acc[PAIRS][COLUMN_PAIRS];
      for (int p = 0; p < PAIRS; p++) {
        // Takes back the 128 by which weights are offset.
        const int32_t upper = -128 * scales[p * 2]->sum, lower = -128 * scales[p * 2 + 1]->sum;
        for (int c = 0; c < COLUMN_PAIRS; c++) acc[p][c] = (int32x4_t){upper, lower, upper, lower};
      }
      size_t k = 0;
      for (; k + 8 <= t->depths[s]; k += 8, w += 2 * GROUP) step(acc, w, a, k, 1);
      if (k < t->depths[s]) step(acc, w, a, k, 0), w += GROUP;
      add_scaled(acc, scales, s == 0, sums + column);
    }
  }
  write_tile(t, sums);
}
#pragma clang attribute pop
#endif
