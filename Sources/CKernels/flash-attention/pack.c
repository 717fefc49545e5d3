// Packs K and V of one head: see layout.h. It costs a few per cent of a head whose queries are as many as its keys.
#include <string.h>

#include "layout.h"
#include "rows.h"

enum { BLOCK = INV_ATTENTION_BLOCK };
_Static_assert(BLOCK == 4, "blocks are turned as inv_four");

/// One block of K, scaled. Rows past the keys are zero.
static inline uint32_t *pack_k_block(size_t pair, size_t rows, size_t width, const float *k, size_t stride,
                                     float scale, uint32_t *to) {
  const size_t units = inv_attention_units(width, pair);
  for (size_t u = 0; u < units; u += 4) {
    inv_four four[BLOCK];
    for (size_t b = 0; b < BLOCK; b++)
      four[b] = b < rows ? inv_row_units(pair, k + b * stride, u * pair, width, scale) : (inv_four){};
    inv_turn(four);
    memcpy(to + u * BLOCK, four, (units - u < 4 ? units - u : 4) * sizeof(inv_four));
  }
  return to + units * BLOCK;
}

/// One unit of keys of V: the rows `even` and `odd` (NULL: zeros). Blocks of channels lie `step` units apart.
static inline void pack_v_unit(size_t pair, size_t width, const float *even, const float *odd, size_t step,
                               uint32_t *to) {
  for (size_t c = 0; c < width; c += BLOCK, to += step) {
    inv_four unit = even ? inv_row_four(even, c, width) : (inv_four){};
    if (pair == 2)
      unit = inv_pairs(inv_bf16_words(unit), inv_bf16_words(odd ? inv_row_four(odd, c, width) : (inv_four){}));
    memcpy(to, &unit, sizeof unit);
  }
}

static inline __attribute__((always_inline)) void pack(size_t pair, size_t keys, size_t width, const float *k,
                                                       size_t k_stride, float k_scale, const float *v,
                                                       size_t v_stride, uint32_t *packed) {
  uint32_t *to = packed;
  for (size_t j = 0; j < keys; j += BLOCK)
    to = pack_k_block(pair, keys - j < BLOCK ? keys - j : BLOCK, width, k + j * k_stride, k_stride, k_scale, to);
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

void inv_attention_pack_scaled(enum inv_attention_precision precision, size_t keys, size_t width, const float *k,
                               size_t k_stride, float k_scale, const float *v, size_t v_stride, void *packed) {
  if (precision == INV_ATTENTION_BF16)
    pack(2, keys, width, k, k_stride, k_scale, v, v_stride, packed);
  else
    pack(1, keys, width, k, k_stride, k_scale, v, v_stride, packed);
}

void inv_attention_pack(enum inv_attention_precision precision, size_t keys, size_t width, const float *k,
                        size_t k_stride, const float *v, size_t v_stride, void *packed) {
  inv_attention_pack_scaled(precision, keys, width, k, k_stride, 1, v, v_stride, packed);
}
