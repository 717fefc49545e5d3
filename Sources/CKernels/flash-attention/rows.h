// Rows of f32 as what the products read, four elements at a time.
#pragma once
#include <string.h>

#include "../include/flash_attention.h"
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

/// Adding 1.5 * 2^23 leaves the nearest integer, in two's complement, in the lower bits.
#define INV_TO_INTEGER 12582912.0f

/// What rows are multiplied by to become int16, largest element `levels`, and by what their products become again what
/// they were. Rows that are not finite have no finite product; rows smaller than all that matters become zeros.
struct inv_levels {
  float to, from;
};

static inline struct inv_levels inv_levels_of(float largest, float levels) {
  return (struct inv_levels){largest > 1e-30f ? levels / largest : 0, largest / levels};
}

/// The largest |x| of so many elements, or of `sofar`; NaN where one is NaN.
static inline float inv_largest_of(const float *row, size_t width, float sofar) {
  typedef int32_t signed_words __attribute__((vector_size(16)));
  signed_words most = {};
  for (size_t c = 0; c < width; c += 4) {
    // Bits of floats without their sign are in the order of the floats, NaN above all.
    const signed_words x = (signed_words)inv_row_four(row, c, width) & 0x7FFFFFFF, larger = x > most;
    most = (x & larger) | (most & ~larger);
  }
  int32_t largest;
  memcpy(&largest, &sofar, sizeof largest);
  for (size_t i = 0; i < 4; i++) largest = most[i] > largest ? most[i] : largest;
  memcpy(&sofar, &largest, sizeof sofar);
  return sofar;
}

/// Pairs of what a form multiplies, each rounded to the nearest.
static inline inv_four inv_pairs(enum inv_attention_precision form, inv_four even, inv_four odd) {
  if (form == INV_ATTENTION_BF16)
    return (inv_four)((inv_bf16_words(even) >> 16) | (inv_bf16_words(odd) & 0xFFFF0000));
  const inv_words first = (inv_words)(even + INV_TO_INTEGER), second = (inv_words)(odd + INV_TO_INTEGER);
  return (inv_four)((first & 0xFFFF) | second << 16);
}

/// The four units of a form from element c on, times the scale; past the width zeros.
static inline inv_four inv_row_units(enum inv_attention_precision form, const float *row, size_t c, size_t width,
                                     float scale) {
  const inv_four a = inv_row_four(row, c, width) * scale;
  if (form == INV_ATTENTION_F32) return a;
  const inv_four b = inv_row_four(row, c + 4, width) * scale;
  return inv_pairs(form, __builtin_shufflevector(a, b, 0, 2, 4, 6), __builtin_shufflevector(a, b, 1, 3, 5, 7));
}
