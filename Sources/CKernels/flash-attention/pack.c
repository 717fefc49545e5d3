// Packs K and V of one head: see layout.h. It costs a few per cent of a head whose queries are as many as its keys.
#include <string.h>

#include "layout.h"

enum { BLOCK = INV_ATTENTION_BLOCK };

/// The f32's nearest bf16, ties to even. NaN stays NaN unless its mantissa is all ones, which no arithmetic makes.
static inline uint32_t bf16_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}

static inline uint32_t unit_of(size_t pair, float even, float odd) {
  uint32_t bits;
  memcpy(&bits, &even, sizeof bits);
  return pair == 2 ? bf16_bits(even) | bf16_bits(odd) << 16 : bits;
}

/// One block of K. Rows past the keys are zero.
static inline uint32_t *pack_k_block(size_t pair, size_t rows, size_t width, const float *k, size_t stride,
                                     uint32_t *to) {
  for (size_t c = 0; c < width; c += pair, to += BLOCK)
    for (size_t b = 0; b < BLOCK; b++) {
      const float *x = k + b * stride + c;
      to[b] = b < rows ? unit_of(pair, x[0], pair == 2 && c + 1 < width ? x[1] : 0) : 0;
    }
  return to;
}

/// One unit of keys of V: the rows `even` and `odd` (NULL: zeros). Blocks of channels lie `step` units apart.
static inline void pack_v_unit(size_t pair, size_t width, const float *even, const float *odd, size_t step,
                               uint32_t *to) {
  for (size_t c = 0; c < width; c += BLOCK, to += step)
    for (size_t b = 0; b < BLOCK; b++) {
      const int inside = c + b < width;
      to[b] = unit_of(pair, even && inside ? even[c + b] : 0, odd && inside ? odd[c + b] : 0);
    }
}

static inline __attribute__((always_inline)) void pack(size_t pair, size_t keys, size_t width, const float *k,
                                                       size_t k_stride, const float *v, size_t v_stride,
                                                       uint32_t *packed) {
  uint32_t *to = packed;
  for (size_t j = 0; j < keys; j += BLOCK)
    to = pack_k_block(pair, keys - j < BLOCK ? keys - j : BLOCK, width, k + j * k_stride, k_stride, to);
  const size_t padded = inv_rounded_up(keys, BLOCK), channels = inv_rounded_up(width, BLOCK);
  for (size_t first = 0; first < padded; first += INV_ATTENTION_KEYS) {
    const size_t units = inv_attention_v_keys(keys, first) / pair;
    for (size_t u = 0; u < units; u++) {
      const size_t j = first + u * pair;
      const float *even = j < keys ? v + j * v_stride : NULL, *odd = j + 1 < keys ? v + (j + 1) * v_stride : NULL;
      pack_v_unit(pair, width, even, odd, units * BLOCK, to + u * BLOCK);
    }
    to += units * channels;
  }
}

size_t inv_attention_packed_bytes(enum inv_attention_precision precision, size_t keys, size_t width) {
  const size_t pair = inv_attention_pair(precision);
  const size_t v = inv_rounded_up(keys, BLOCK) / pair * inv_rounded_up(width, BLOCK);
  return (inv_attention_v_start(keys, width, pair) + v) * sizeof(uint32_t);
}

void inv_attention_pack(enum inv_attention_precision precision, size_t keys, size_t width, const float *k,
                        size_t k_stride, const float *v, size_t v_stride, void *packed) {
  if (precision == INV_ATTENTION_BF16)
    pack(2, keys, width, k, k_stride, v, v_stride, packed);
  else
    pack(1, keys, width, k, k_stride, v, v_stride, packed);
}
