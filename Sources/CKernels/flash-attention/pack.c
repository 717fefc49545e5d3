// Packs K and V of one head: see layout.h. It costs a few per cent of a head whose queries are as many as its keys.
#include <string.h>

#include "layout.h"
#include "rows.h"

enum { BLOCK = INV_ATTENTION_BLOCK };
_Static_assert(BLOCK == 4, "blocks are turned as inv_four");

/// One block of K, scaled. Rows past the keys are zero.
static inline uint32_t *pack_k_block(enum inv_attention_precision form, size_t rows, size_t width, const float *k,
                                     size_t stride, float scale, uint32_t *to) {
  const size_t pair = inv_attention_pair(form), units = inv_attention_units(width, pair);
  for (size_t u = 0; u < units; u += 4) {
    inv_four four[BLOCK];
    for (size_t b = 0; b < BLOCK; b++)
      four[b] = b < rows ? inv_row_units(form, k + b * stride, u * pair, width, scale) : (inv_four){};
    inv_turn(four);
    memcpy(to + u * BLOCK, four, (units - u < 4 ? units - u : 4) * sizeof(inv_four));
  }
  return to + units * BLOCK;
}

/// One unit of keys of V, scaled: the rows `even` and `odd` (NULL: zeros). Blocks of channels lie `step` units apart.
static inline void pack_v_unit(enum inv_attention_precision form, size_t width, const float *even, const float *odd,
                               float scale, size_t step, uint32_t *to) {
  for (size_t c = 0; c < width; c += BLOCK, to += step) {
    inv_four unit = even ? inv_row_four(even, c, width) * scale : (inv_four){};
    if (form != INV_ATTENTION_F32)
      unit = inv_pairs(form, unit, odd ? inv_row_four(odd, c, width) * scale : (inv_four){});
    memcpy(to, &unit, sizeof unit);
  }
}

/// What a tile's rows are multiplied by to be packed; for int16 also `from`, by what their products are.
static inline float scale_of(enum inv_attention_precision form, size_t rows, size_t width, const float *x,
                             size_t stride, float levels, float scale, float *from) {
  if (form != INV_ATTENTION_I16) return scale;
  float largest = 0;
  for (size_t j = 0; j < rows; j++) largest = inv_largest_of(x + j * stride, width, largest);
  const struct inv_levels of = inv_levels_of(largest, levels);
  *from = of.from * scale;
  return of.to;
}

static inline __attribute__((always_inline)) void pack(enum inv_attention_precision form, size_t keys, size_t width,
                                                       const float *k, size_t k_stride, float k_scale, const float *v,
                                                       size_t v_stride, uint32_t *packed) {
  const size_t pair = inv_attention_pair(form), channels = inv_rounded_up(width, BLOCK);
  uint32_t *k_to = packed, *v_to = packed + inv_attention_v_start(keys, width, pair);
  float *scales = (float *)packed + inv_attention_scales_start(keys, width);
  for (size_t first = 0; first < keys; first += INV_ATTENTION_KEYS, scales += 2) {
    const size_t padded = inv_attention_v_keys(keys, first), units = padded / pair, end = first + padded;
    const size_t rows = end <= keys ? padded : keys - first;
    const float *k_rows = k + first * k_stride, *v_rows = v + first * v_stride;
    const float k_to_units =
        scale_of(form, rows, width, k_rows, k_stride, inv_channel_levels(width), k_scale, &scales[0]);
    const float v_to_units = scale_of(form, rows, width, v_rows, v_stride, INV_PACKED_LEVELS, 1, &scales[1]);
    for (size_t j = 0; j < rows; j += BLOCK)
      k_to = pack_k_block(form, rows - j < BLOCK ? rows - j : BLOCK, width, k_rows + j * k_stride, k_stride,
                          k_to_units, k_to);
    for (size_t j = 0; j < padded; j += pair) {
      const float *even = j < rows ? v_rows + j * v_stride : NULL;
      const float *odd = j + 1 < rows ? v_rows + (j + 1) * v_stride : NULL;
      pack_v_unit(form, width, even, odd, v_to_units, units * BLOCK, v_to + j / pair * BLOCK);
    }
    v_to += units * channels;
  }
}

size_t inv_attention_packed_bytes(enum inv_attention_precision precision, size_t keys, size_t width) {
  const size_t pair = inv_attention_pair(precision);
  const size_t v = inv_rounded_up(keys, BLOCK) / pair * inv_rounded_up(width, BLOCK);
  const size_t tiles = (keys + INV_ATTENTION_KEYS - 1) / INV_ATTENTION_KEYS;
  const size_t scales = precision == INV_ATTENTION_I16 ? 2 * tiles : 0;
  return (inv_attention_v_start(keys, width, pair) + v + scales) * sizeof(uint32_t);
}

void inv_attention_pack_scaled(enum inv_attention_precision precision, size_t keys, size_t width, const float *k,
                               size_t k_stride, float k_scale, const float *v, size_t v_stride, void *packed) {
  switch (precision) {
    case INV_ATTENTION_F32: return pack(INV_ATTENTION_F32, keys, width, k, k_stride, k_scale, v, v_stride, packed);
    case INV_ATTENTION_BF16: return pack(INV_ATTENTION_BF16, keys, width, k, k_stride, k_scale, v, v_stride, packed);
    case INV_ATTENTION_I16: return pack(INV_ATTENTION_I16, keys, width, k, k_stride, k_scale, v, v_stride, packed);
  }
}

void inv_attention_pack(enum inv_attention_precision precision, size_t keys, size_t width, const float *k,
                        size_t k_stride, const float *v, size_t v_stride, void *packed) {
  inv_attention_pack_scaled(precision, keys, width, k, k_stride, 1, v, v_stride, packed);
}
