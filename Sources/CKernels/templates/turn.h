// Turning 4 x 4 blocks of f32, in whatever vectors the instruction set has.
#pragma once
#include <stdint.h>
#include <string.h>

typedef float inv_four __attribute__((vector_size(16)));

/// rows[i][j] becomes rows[j][i].
static inline __attribute__((always_inline)) void inv_turn(inv_four rows[4]) {
  const inv_four low = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const inv_four high = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const inv_four low2 = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const inv_four high2 = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  rows[0] = __builtin_shufflevector(low, low2, 0, 1, 4, 5);
  rows[1] = __builtin_shufflevector(low, low2, 2, 3, 6, 7);
  rows[2] = __builtin_shufflevector(high, high2, 0, 1, 4, 5);
  rows[3] = __builtin_shufflevector(high, high2, 2, 3, 6, 7);
}
