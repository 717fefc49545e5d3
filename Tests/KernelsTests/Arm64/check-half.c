// Compares the conversions, and every microkernel for weights in f16 and bf16, with the scalar ones, which are their
// lists' last.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conversions.h"
#include "half_gemm.h"

enum { ROWS = 14, OUTPUTS = 35, DEPTH = 300 };

static int same(const void *a, const void *b, size_t bytes, const char *what) {
  if (memcmp(a, b, bytes) == 0) return 0;
  printf("%s differs\n", what);
  return 1;
}

/// All halves that are not NaN, widened and narrowed again.
static int conversions(void) {
  static uint16_t halves[65536], back[2][65536];
  static float wide[2][65536];
  size_t n = 0, count = 0;
  for (uint32_t bits = 0; bits < 65536; bits++)
    if ((bits & 0x7FFF) <= 0x7C00) halves[n++] = (uint16_t)bits;
  while (inv_conversions_at(count)) count++;
  int failures = count < 2;
  const struct inv_conversions *scalar = inv_conversions_at(count - 1);
  for (size_t i = 0; i + 1 < count; i++) {
    const struct inv_conversions *table = inv_conversions_at(i);
    table->f16_to_f32(n, halves, wide[0]), scalar->f16_to_f32(n, halves, wide[1]);
    failures += same(wide[0], wide[1], n * sizeof(float), "f16 to f32");
    for (size_t j = 0; j < n; j++) wide[0][j] *= 1.0004f;
    table->f32_to_f16(n, wide[0], back[0]), scalar->f32_to_f16(n, wide[0], back[1]);
    failures += same(back[0], back[1], n * sizeof(uint16_t), "f32 to f16");
    table->f32_to_bf16(n, wide[0], back[0]), scalar->f32_to_bf16(n, wide[0], back[1]);
    failures += same(back[0], back[1], n * sizeof(uint16_t), "f32 to bf16");
    table->bf16_to_f32(n, halves, wide[0]), scalar->bf16_to_f32(n, halves, wide[1]);
    failures += same(wide[0], wide[1], n * sizeof(float), "bf16 to f32");
  }
  return failures;
}

static float x[ROWS * DEPTH], bias[OUTPUTS];
static uint16_t weights[OUTPUTS * DEPTH];

static void run(const struct inv_half_gemm *kernel, size_t rows, size_t depth, int is_bf16, float *y) {
  static float scratch[INV_HALF_DEPTH * 32] __attribute__((aligned(64)));
  const struct inv_half_product product = {rows, OUTPUTS, depth, x, DEPTH, weights, is_bf16, bias, y, OUTPUTS};
  for (size_t first = 0; first < OUTPUTS; first += kernel->nr)
    kernel->run(&product, first, OUTPUTS - first < kernel->nr ? OUTPUTS - first : kernel->nr, scratch);
}

static int products(void) {
  for (int i = 0; i < ROWS * DEPTH; i++) x[i] = (float)(rand() % 2001 - 1000) / 500;
  for (int i = 0; i < OUTPUTS * DEPTH; i++) weights[i] = (uint16_t)(0x3000 + rand() % 0xC00 + rand() % 2 * 0x8000);
  for (int i = 0; i < OUTPUTS; i++) bias[i] = (float)i;
  size_t count = 0;
  while (inv_half_gemm_at(count)) count++;
  int failures = count < 2;
  for (size_t rows = 1; rows <= ROWS; rows++)
    for (size_t depth = 1; depth <= DEPTH; depth += 13)
      for (int is_bf16 = 0; is_bf16 < 2; is_bf16++)
        for (size_t i = 0; i + 1 < count; i++) {
          static float reference[ROWS * OUTPUTS], y[ROWS * OUTPUTS];
          run(inv_half_gemm_at(count - 1), rows, depth, is_bf16, reference);
          run(inv_half_gemm_at(i), rows, depth, is_bf16, y);
          for (size_t j = 0; j < rows * OUTPUTS; j++) failures += !(fabsf(y[j] - reference[j]) <= 1e-3f);
        }
  return failures;
}

int main(void) {
  const int failures = conversions() + products();
  printf("halves: %d differences\n", failures);
  return failures != 0;
}
