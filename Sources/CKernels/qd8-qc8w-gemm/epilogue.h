// Shared by the microkernels: what happens to a tile's f32 sums after the last segment.
#pragma once
#include <assert.h>
#include <string.h>

#include "../include/qd8_qc8w_gemm.h"

/// sums (MR, 32) -> output, scaled per column and with the bias.
static inline void write_tile(const struct inv_qd8_tile *t, const float *sums) {
  for (size_t r = 0; r < t->rows; r++) {
    float *out = t->output + r * t->stride;
    const float *sum = sums + r * INV_QC8W_NR;
    if (t->bias) {
      for (size_t c = 0; c < t->columns; c++) out[c] = sum[c] * t->column_scales[c] + t->bias[c];
    } else {
      for (size_t c = 0; c < t->columns; c++) out[c] = sum[c] * t->column_scales[c];
    }
  }
}

/// What every microkernel asserts of its tile.
static inline void check_tile(const struct inv_qd8_tile *t, size_t mr) {
  assert(t->rows >= 1 && t->rows <= mr && t->columns >= 1 && t->columns <= INV_QC8W_NR && t->segments >= 1);
  for (size_t s = 0; s < t->segments; s++) assert(t->depths[s] % INV_QC8W_KR == 0);
  (void)t, (void)mr;
}

static inline int32_t load_four(const int8_t *a) {
  int32_t four;
  memcpy(&four, a, sizeof four);
  return four;
}
