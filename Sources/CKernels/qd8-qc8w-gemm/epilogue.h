// Shared by the microkernels: what happens to a tile's f32 sums after the last segment.
#pragma once
#include <assert.h>
#include <string.h>

#include "../include/qd8_qc8w_gemm.h"

/// One row: `n` sums, scaled per column, and all that is to be added. `n` is a constant where it can be, and the row is
/// kept in registers, since the compiler cannot know that the output overlaps nothing.
static inline void write_row(const struct inv_qd8_tile *t, size_t r, const float *sum, size_t n) {
  float row[INV_QC8W_NR];
  for (size_t c = 0; c < n; c++) row[c] = sum[c] * t->column_scales[c];
  if (t->bias)
    for (size_t c = 0; c < n; c++) row[c] += t->bias[c];
  if (t->row_vectors)
    for (size_t c = 0; c < n; c++) row[c] += t->row_vectors[r][c];
  if (t->residual)
    for (size_t c = 0; c < n; c++) row[c] += t->residual[r * t->stride + c];
  memcpy(t->output + r * t->stride, row, n * sizeof row[0]);
}

/// sums (MR, 32) -> output.
static inline void write_tile(const struct inv_qd8_tile *t, const float *sums) {
  for (size_t r = 0; r < t->rows; r++) {
    if (t->columns == INV_QC8W_NR)
      write_row(t, r, sums + r * INV_QC8W_NR, INV_QC8W_NR);
    else
      write_row(t, r, sums + r * INV_QC8W_NR, t->columns);
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
