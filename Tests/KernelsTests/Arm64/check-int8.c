// Compares every int8 microkernel of the machine with the scalar one, which is the list's last, at tile edges.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "qd8_qc8w_gemm.h"
#include "quantise.h"

enum { SEGMENTS = 3, DEPTH = 52, ROWS = 13, COLUMNS = 32 };

static int8_t elements[SEGMENTS][ROWS][DEPTH];
static struct inv_qd8_row scales[SEGMENTS][ROWS];
static uint8_t panel[SEGMENTS * DEPTH * COLUMNS];
static float column_scales[COLUMNS], bias[COLUMNS];

static void fill(void) {
  static float x[ROWS * DEPTH];
  static int8_t w[COLUMNS * DEPTH];
  for (int s = 0; s < SEGMENTS; s++) {
    for (int i = 0; i < ROWS * DEPTH; i++) x[i] = (float)(rand() % 2001 - 1000) / 300;
    for (int i = 0; i < COLUMNS * DEPTH; i++) w[i] = (int8_t)(rand() % 256 - 128);
    inv_quantise_kernels_at(INV_ISA_scalar)->quantise_rows(ROWS, DEPTH, x, DEPTH, elements[s][0], scales[s]);
    inv_qc8w_pack(COLUMNS, DEPTH, w, DEPTH * COLUMNS, panel + s * DEPTH * COLUMNS);
  }
  for (int c = 0; c < COLUMNS; c++) column_scales[c] = (float)(c % 3 + 1) / 100, bias[c] = (float)c;
}

static void run(const struct inv_qd8_qc8w_gemm *kernel, size_t columns, float *output) {
  const size_t depths[SEGMENTS] = {DEPTH, DEPTH, DEPTH};
  for (size_t first = 0; first < ROWS; first += kernel->mr) {
    const size_t rows = ROWS - first < kernel->mr ? ROWS - first : kernel->mr;
    const int8_t *a[SEGMENTS * INV_QD8_MR_MAX];
    const struct inv_qd8_row *s[SEGMENTS * INV_QD8_MR_MAX];
    for (size_t segment = 0; segment < SEGMENTS; segment++)
      for (size_t row = 0; row < kernel->mr; row++) {
        const size_t valid = first + (row < rows ? row : rows - 1);
        a[segment * kernel->mr + row] = elements[segment][valid];
        s[segment * kernel->mr + row] = &scales[segment][valid];
      }
    const struct inv_qd8_tile tile = {rows, columns,       SEGMENTS, depths,                    a, s,
                                      panel, column_scales, bias,     output + first * COLUMNS, COLUMNS};
    kernel->run(&tile);
  }
}

int main(void) {
  fill();
  size_t count = 0;
  while (inv_qd8_qc8w_gemm_at(count)) count++;
  int failures = 0;
  for (size_t columns = 1; columns <= COLUMNS; columns++)
    for (size_t i = 0; i + 1 < count; i++) {
      float reference[ROWS * COLUMNS] = {0}, output[ROWS * COLUMNS] = {0};
      run(inv_qd8_qc8w_gemm_at(count - 1), columns, reference);
      run(inv_qd8_qc8w_gemm_at(i), columns, output);
      for (int j = 0; j < ROWS * COLUMNS; j++)
        if (fabsf(output[j] - reference[j]) > 1e-3f) {
          printf("%s, %zu columns, element %d: %g instead of %g\n", inv_qd8_qc8w_gemm_at(i)->name, columns, j,
                 output[j], reference[j]);
          failures++;
        }
    }
  printf("%zu microkernels, %d differences\n", count, failures);
  return failures == 0 && count > 1 ? 0 : 1;
}
