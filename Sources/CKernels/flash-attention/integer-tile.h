// The body of every microkernel whose products are of int16 pairs: as tile.h, whose vectors it uses, but scores are
// integers times the scales of their query and their tile of keys, and powers become integers relative to the largest
// of their query in that tile, so that a tile of small powers is as exact as one of large ones. The includer defines
// what tile.h asks for, with BF16 0, and
//   DOT16(acc, a, b)  acc + the dot product of two pairs in each lane of `bits`
//   SHORT_EXP2(x)     where an instruction set has something better: 2^x with a relative error of 2^-13
#pragma once
#include "tile.h"

INLINE vector floats(bits x) { return __builtin_convertvector(x, vector); }

/// The nearest integers in the lower half of each lane.
INLINE bits halves(vector x) { return (bits)(x + splat(INV_TO_INTEGER)); }

/// As halves; what rounding took away is added to the next, so that many small elements keep their sum.
INLINE bits carried_halves(vector x, vector *error) {
  x += *error;
  const vector shifted = x + splat(INV_TO_INTEGER);
  *error = x - (shifted - splat(INV_TO_INTEGER));
  return (bits)shifted;
}

INLINE bits pairs(bits even, bits odd) { return (even & 0xFFFF) | odd << 16; }

INLINE vector short_exp2(vector x) {
#ifdef SHORT_EXP2
  return SHORT_EXP2(x);
#else
  return exp2_of(x);
#endif
}

/// acc (BLOCK, n) += the sum over `depth` of vectors (depth, n) times broadcast units (depth, BLOCK).
INLINE void multiply_pairs(const int n, bits *acc, size_t depth, const bits *vectors, const int32_t *units) {
  for (size_t k = 0; k < depth; k++, vectors += n, units += BLOCK) {
    UNROLL for (int b = 0; b < BLOCK; b++) {
      const bits unit = (bits){} + units[b];
      UNROLL for (int i = 0; i < n; i++) acc[b * n + i] = DOT16(acc[b * n + i], vectors[i], unit);
    }
  }
}

/// Rows (count, width) as integers with their channels across: (units, lanes). Lanes past the last row repeat it.
/// `largest`: what becomes `most`, or NULL for each row's own. `scales` (lanes): what the products of each row's
/// integers are multiplied by. `to` has room for units up to a multiple of 4.
static void load_integers(const float *rows, size_t stride, size_t width, size_t count, size_t lanes,
                          const float *largest, float most, bits *to, float *scales) {
  for (size_t lane = 0; lane < lanes; lane += 4) {
    const float *row[4];
    float to_units[4];
    for (size_t i = 0; i < 4; i++) {
      row[i] = rows + (lane + i < count ? lane + i : count - 1) * stride;
      const struct inv_levels levels = inv_levels_of(largest ? *largest : inv_largest_of(row[i], width, 0), most);
      to_units[i] = levels.to;
      scales[lane + i] = levels.from;
    }
    for (size_t c = 0; c < width; c += 8) {
      inv_four units[4];
      UNROLL for (int i = 0; i < 4; i++) units[i] = inv_row_units(INV_ATTENTION_I16, row[i], c, width, to_units[i]);
      inv_turn(units);
      UNROLL for (size_t i = 0; i < 4; i++)
        memcpy((int32_t *)to + (c / 2 + i) * lanes + lane, &units[i], sizeof units[i]);
    }
  }
}

/// Scores (keys, n) of `keys` keys from `key` on, and the largest of each query.
INLINE void integer_scores(const int n, const struct inv_attention *a, size_t first, size_t unmasked, size_t key,
                           size_t keys, const bits *q, const int32_t *k, const vector *scales, vector *s,
                           vector *most) {
  const size_t units = inv_attention_units(a->width, 2);
  // Not infinite, for queries that see no key of the tile.
  UNROLL for (int i = 0; i < n; i++) most[i] = splat(-1e30f);
  for (size_t j = 0; j < keys; j += BLOCK, k += units * BLOCK, s += BLOCK * n) {
    bits acc[VECTORS * BLOCK] = {};
    multiply_pairs(n, acc, units, q, k);
    UNROLL for (int i = 0; i < n * BLOCK; i++) s[i] = floats(acc[i]) * scales[i % n];
    if (key + j + BLOCK > unmasked) hide(a, first, key + j, (size_t)n * LANES, (float *)s);
    UNROLL for (int i = 0; i < n * BLOCK; i++) most[i % n] = larger(most[i % n], s[i]);
  }
}

/// Scores (keys, n) to pairs of keys' powers, 2^(score - most) * INV_COMPUTED_LEVELS, in the same place, and their
/// sums.
INLINE void integer_powers(const int n, size_t keys, const vector *most, vector *s, bits *sums) {
  const bits ones = (bits){} + 0x00010001;
  vector unit[VECTORS], errors[VECTORS];
  bits *to = (bits *)s;
  UNROLL for (int i = 0; i < n; i++) {
    unit[i] = most[i] - log2f(INV_COMPUTED_LEVELS);
    errors[i] = splat(0);
    sums[i] = (bits){};
  }
  for (size_t j = 0; j < keys; j += 2, s += 2 * n, to += n) {
    UNROLL for (int i = 0; i < n; i++) {
      const bits even = carried_halves(short_exp2(s[i] - unit[i]), &errors[i]);
      const bits odd = carried_halves(short_exp2(s[n + i] - unit[i]), &errors[i]);
      to[i] = pairs(even, odd);
      sums[i] = DOT16(sums[i], to[i], ones);
    }
  }
}

/// Makes `most` the unit of all sums where some power might come near infinity otherwise.
INLINE void raise_unit(const int n, size_t channels, const vector *most, struct tile *tile, vector *o) {
  const float far = 32;
  int is_far = 0;
  vector higher[VECTORS];
  UNROLL for (int i = 0; i < n; i++) {
    higher[i] = larger(tile->unit[i], most[i]);
    // Written so that it holds for the first tile, whose unit is infinitely low.
    const bits near = most[i] < tile->unit[i] + far;
    for (int lane = 0; lane < LANES; lane++) is_far |= !near[lane];
  }
  if (is_far) rescale(n, channels, higher, tile, o);
}

/// A tile of `n` vectors of queries.
INLINE void attend_integers(const int n, const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  const size_t lanes = (size_t)n * LANES, end = first + count;
  const size_t units = inv_attention_units(a->width, 2), channels = inv_rounded_up(a->width, BLOCK);
  vector *q = scratch, *o = q + channels * n, *s = o + channels * n, q_scales[VECTORS];
  const size_t visible = a->causal && end < a->keys ? end : a->keys;
  const size_t unmasked = a->causal && first + 1 < a->keys ? first + 1 : a->keys;
  const int32_t *k = a->packed, *v = k + inv_attention_v_start(a->keys, a->width, 2);
  const float *scales = (const float *)(k + inv_attention_scales_start(a->keys, a->width));
  struct tile tile;
  load_integers(a->q + first * a->q_stride, a->q_stride, a->width, count, lanes, NULL, inv_channel_levels(a->width),
                (bits *)q, (float *)q_scales);
  memset(o, 0, channels * lanes * sizeof(float));
  UNROLL for (int i = 0; i < n; i++) tile.unit[i] = splat(-INFINITY), tile.sums[i] = splat(0);
  for (size_t key = 0; key < visible; key += KEYS, scales += 2) {
    const size_t left = visible - key, keys = inv_rounded_up(left < KEYS ? left : KEYS, BLOCK);
    const size_t v_units = inv_attention_v_keys(a->keys, key) / 2;
    vector most[VECTORS], factor[VECTORS];
    bits sums[VECTORS];
    UNROLL for (int i = 0; i < n; i++) factor[i] = q_scales[i] * (scales[0] * a->scale * LOG2_E);
    integer_scores(n, a, first, unmasked, key, keys, (bits *)q, k, factor, s, most);
    integer_powers(n, keys, most, s, sums);
    raise_unit(n, channels, most, &tile, o);
    UNROLL for (int i = 0; i < n; i++) {
      factor[i] = exp2_of(most[i] - tile.unit[i]) * (1.0f / INV_COMPUTED_LEVELS);
      tile.sums[i] += floats(sums[i]) * factor[i];
      // Integers do not tell that keys were not finite; their scale does.
      factor[i] *= scales[1] + 0 * scales[0];
    }
    for (size_t c = 0; c < channels; c += BLOCK) {
      bits acc[VECTORS * BLOCK] = {};
      multiply_pairs(n, acc, keys / 2, (const bits *)s, v + c * v_units);
      UNROLL for (int i = 0; i < n * BLOCK; i++) o[c * n + i] += floats(acc[i]) * factor[i % n];
    }
    k += keys * units;
    v += v_units * channels;
  }
  write_log_sums(a, first, count, &tile);
  UNROLL for (int i = 0; i < n; i++) tile.sums[i] = 1.0f / tile.sums[i] + 0 * q_scales[i];
  write_rows((const float *)o, (const float *)tile.sums, lanes, count, a->width, a->output + first * a->output_stride,
             a->output_stride);
}

/// As many vectors as the queries need.
INLINE void integer_attention_tile(const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  assert(count >= 1 && count <= VECTORS * LANES && first + count <= a->queries && a->keys >= 1);
  WITH_VECTORS(vectors_of(count), attend_integers, a, first, count, scratch)
}
