// Rows of f32 as what the products read, four elements at a time.
#pragma once
#include <string.h>

#include "../templates/turn.h"

typedef uint32_t inv_words __attribute__((vector_size(16)));

/// Elements c...c + 3; past the width zeros.
static inline inv_four inv_row_four(const float *row, size_t c, size_t width) {
  inv_four x = {};
  if (c + 4 <= width)
    memcpy(&x, row + c, sizeof x);
  else
    for (size_t i = 0; c + i < width; i++) x[i] = row[c + i];
  return x;
}

/// The nearest bf16, ties to even, in the upper half of each word; the lower half is arbitrary. NaN stays NaN unless
/// its mantissa is all ones, which no arithmetic makes.
static inline inv_words inv_bf16_words(inv_four x) {
  const inv_words bits = (inv_words)x;
  return bits + 0x7FFF + ((bits >> 16) & 1);
}

/// Pairs of bf16.
static inline inv_four inv_pairs(inv_words even, inv_words odd) {
  return (inv_four)((even >> 16) | (odd & 0xFFFF0000));
}

/// The four units of `pair` elements from element c on, times the scale; past the width zeros.
static inline inv_four inv_row_units(size_t pair, const float *row, size_t c, size_t width, float scale) {
  const inv_four first = inv_row_four(row, c, width) * scale;
  if (pair == 1) return first;
  const inv_words a = inv_bf16_words(first), b = inv_bf16_words(inv_row_four(row, c + 4, width) * scale);
  return inv_pairs(__builtin_shufflevector(a, b, 0, 2, 4, 6), __builtin_shufflevector(a, b, 1, 3, 5, 7));
}
