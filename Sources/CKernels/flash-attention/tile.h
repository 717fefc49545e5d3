// The body of every microkernel. The includer defines
//   LANES    f32 lanes of a vector
//   VECTORS  vectors of queries in a tile; VECTORS * (INV_ATTENTION_BLOCK + 1) + 1 registers are in use
//   BF16     1 for products of bf16 pairs, with DOT(acc, a, b): acc + the dot product of two pairs in each lane,
//            HALVES(even, odd): two vectors of f32 as one of bf16, one after the other, and PAIRS(halves): the elements
//            of the two in turns; 0 for products of f32
//   EXP2(x)  where an instruction set has something better: 2^x as exp2_of below
#pragma once
#include <assert.h>
#include <math.h>
#include <string.h>

#include "layout.h"
#include "rows.h"

enum { BLOCK = INV_ATTENTION_BLOCK, KEYS = INV_ATTENTION_KEYS, PAIR_SIZE = BF16 ? 2 : 1 };
/// What the products of this body are made of.
#define FORM (BF16 ? INV_ATTENTION_BF16 : INV_ATTENTION_F32)

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t bits __attribute__((vector_size(LANES * sizeof(float))));

/// Scores are in units of it, because powers of 2 are cheaper.
#define LOG2_E 1.44269504f

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

#if !BF16
#define DOT(acc, a, b) ((acc) + (a) * (b))
#endif

INLINE vector splat(float x) { return (vector){} + x; }

/// b where one of them is NaN.
INLINE vector larger(vector a, vector b) {
  const bits first = a > b;
  return (vector)(((bits)a & first) | ((bits)b & ~first));
}

/// 2^x, at least about 2^-126 (or 0) and at most about 2^127 (or infinity). Relative error 2e-7 on the way to f32
/// products, 1e-4 to bf16, which keeps 2^-9.
INLINE vector exp2_of(vector x) {
#ifdef EXP2
  return EXP2(x);
#else
  x = larger(x, splat(-126.0f));
  x = -larger(-x, splat(-127.0f));
  const vector magic = splat(INV_TO_INTEGER), shifted = x + magic, r = x - (shifted - magic);
#if BF16
  vector p = r * 0.05517167f + 0.24261113f;
  p = p * r + 0.69326097f;
  p = p * r + 0.99992806f;
#else
  vector p = r * 1.3276472e-3f + 9.6755405e-3f;
  p = p * r + 5.5507131e-2f;
  p = p * r + 2.4022120e-1f;
  p = p * r + 6.9314694e-1f;
  p = p * r + 1.0000001f;
#endif
  return (vector)((bits)p + ((bits)shifted << 23));
#endif
}

/// acc (BLOCK, n) += the sum over `depth` of vectors (depth, n) times broadcast units (depth, BLOCK).
INLINE void multiply(const int n, vector *acc, size_t depth, const vector *vectors, const int32_t *units) {
  for (size_t k = 0; k < depth; k++, vectors += n, units += BLOCK) {
    UNROLL for (int b = 0; b < BLOCK; b++) {
      const vector unit = (vector)((bits){} + units[b]);
      UNROLL for (int i = 0; i < n; i++) acc[b * n + i] = DOT(acc[b * n + i], vectors[i], unit);
    }
  }
}

/// Rows (count, width) with their channels across: (units, lanes), times the scale. Lanes past the last row repeat it.
/// `to` has room for units up to a multiple of 4.
static void load_across(const float *rows, size_t stride, size_t width, float scale, size_t count, size_t lanes,
                        float *to) {
  for (size_t lane = 0; lane < lanes; lane += 4) {
    const float *q[4];
    for (size_t i = 0; i < 4; i++) q[i] = rows + (lane + i < count ? lane + i : count - 1) * stride;
    for (size_t c = 0; c < width; c += 4 * PAIR_SIZE) {
      inv_four units[4];
      UNROLL for (int i = 0; i < 4; i++) units[i] = inv_row_units(FORM, q[i], c, width, scale);
      inv_turn(units);
      UNROLL for (size_t i = 0; i < 4; i++) memcpy(to + (c / PAIR_SIZE + i) * lanes + lane, &units[i], sizeof units[i]);
    }
  }
}

/// Hides from the scores of keys `key...` (BLOCK, lanes) what their queries must not see.
static void hide(const struct inv_attention *a, size_t first, size_t key, size_t lanes, float *scores) {
  for (size_t b = 0; b < BLOCK; b++)
    for (size_t lane = 0; lane < lanes; lane++)
      if (key + b >= a->keys || (a->causal && key + b > first + lane)) scores[b * lanes + lane] = -INFINITY;
}

/// The powers of PAIR_SIZE keys' scores, summed per query and packed for the second product.
INLINE vector powers_of(const vector *scores, const int step, vector *sum) {
  const vector even = exp2_of(scores[0]);
#if BF16
  // The sum of what is multiplied, so that rounding leaves the weights' sum 1: where one key has nearly all weight, the
  // gradient is a difference of nearly equal values.
  const vector pair = PAIRS(HALVES(even, exp2_of(scores[step]))), ones = (vector)((bits){} + 0x3F803F80);
  *sum = DOT(*sum, pair, ones);
  return pair;
#else
  (void)step;
  *sum += even;
  return even;
#endif
}

/// What a tile of queries has of each query: the score whose power is 1 in all sums, and the powers' sum.
struct tile {
  vector unit[VECTORS], sums[VECTORS];
};

/// Makes `most` the unit of all sums, those of values o (channels, n) too.
INLINE void rescale(const int n, size_t channels, const vector *most, struct tile *tile, vector *o) {
  vector factor[VECTORS];
  UNROLL for (int i = 0; i < n; i++) {
    factor[i] = exp2_of(tile->unit[i] - most[i]);
    tile->unit[i] = most[i];
    tile->sums[i] *= factor[i];
  }
  for (size_t c = 0; c < channels; c++, o += n) {
    UNROLL for (int i = 0; i < n; i++) o[i] *= factor[i];
  }
}

/// Scores of `keys` keys from `key` on, and of them their powers relative to the largest score so far, which becomes
/// `unit`, into `s`. Adds the powers to `sums`.
INLINE void exact_powers(const int n, const struct inv_attention *a, size_t first, size_t unmasked, size_t key,
                         size_t keys, const vector *q, const int32_t *k, struct tile *tile, vector *o, vector *s) {
  const size_t units = inv_attention_units(a->width, PAIR_SIZE);
  vector most[VECTORS];
  UNROLL for (int i = 0; i < n; i++) most[i] = tile->unit[i];
  for (size_t j = 0; j < keys; j += BLOCK, k += units * BLOCK) {
    vector acc[VECTORS * BLOCK], *row = s + j * n;
    UNROLL for (int i = 0; i < n * BLOCK; i++) acc[i] = splat(0);
    multiply(n, acc, units, q, k);
    UNROLL for (int i = 0; i < n * BLOCK; i++) row[i] = acc[i];
    if (key + j + BLOCK > unmasked) hide(a, first, key + j, (size_t)n * LANES, (float *)row);
    UNROLL for (int i = 0; i < n * BLOCK; i++) most[i % n] = larger(most[i % n], row[i]);
  }
  rescale(n, inv_rounded_up(a->width, BLOCK), most, tile, o);
  vector *to = s;
  for (size_t j = 0; j < keys; j += PAIR_SIZE, s += PAIR_SIZE * n, to += n) {
    UNROLL for (int i = 0; i < n; i++) {
      vector scores[PAIR_SIZE];
      UNROLL for (int b = 0; b < PAIR_SIZE; b++) scores[b] = s[b * n + i] - most[i];
      to[i] = powers_of(scores, 1, &tile->sums[i]);
    }
  }
}

/// As exact_powers, but relative to the unit that there is: powers may exceed 1, since f32 and bf16 have the range, and
/// are computed while the next scores are multiplied. Returns 0, with nothing changed but `s`, where one is too large.
INLINE int hasty_powers(const int n, size_t units, const vector *q, const int32_t *k, struct tile *tile, vector *s) {
  vector sums[VECTORS];
  UNROLL for (int i = 0; i < n; i++) sums[i] = splat(0);
  for (size_t j = 0; j < KEYS; j += BLOCK, k += units * BLOCK) {
    vector acc[VECTORS * BLOCK];
    UNROLL for (int i = 0; i < n * BLOCK; i++) acc[i] = -tile->unit[i % n];
    multiply(n, acc, units, q, k);
    UNROLL for (int b = 0; b < BLOCK; b += PAIR_SIZE, s += n) {
      UNROLL for (int i = 0; i < n; i++) s[i] = powers_of(acc + b * n + i, n, &sums[i]);
    }
  }
  // So many tiles of sums, and products with values, are far from infinity.
  const float too_large = 0x1p40f;
  vector worst = sums[0];
  UNROLL for (int i = 1; i < n; i++) worst = larger(worst, sums[i]);
  for (int lane = 0; lane < LANES; lane++)
    if (!(worst[lane] < too_large)) return 0;
  UNROLL for (int i = 0; i < n; i++) tile->sums[i] += sums[i];
  return 1;
}

/// Sums (channels, lanes), channels a multiple of 4, times a factor per lane, as rows (count, width).
static void write_rows(const float *sums, const float *factors, size_t lanes, size_t count, size_t width, float *rows,
                       size_t stride) {
  for (size_t lane = 0; lane < count; lane += 4) {
    inv_four factor;
    memcpy(&factor, factors + lane, sizeof factor);
    const size_t there = count - lane < 4 ? count - lane : 4;
    for (size_t c = 0; c < width; c += 4) {
      inv_four block[4];
      UNROLL for (size_t i = 0; i < 4; i++) {
        memcpy(&block[i], sums + (c + i) * lanes + lane, sizeof block[i]);
        block[i] *= factor;
      }
      inv_turn(block);
      float *to = rows + lane * stride + c;
      for (size_t i = 0; i < there; i++, to += stride) {
        if (c + 4 <= width)
          memcpy(to, &block[i], sizeof block[i]);
        else
          for (size_t j = 0; c + j < width; j++) to[j] = block[i][j];
      }
    }
  }
}

/// What the gradient will want to know of each query.
static void write_log_sums(const struct inv_attention *a, size_t first, size_t count, const struct tile *tile) {
  if (!a->log_sums) return;
  const float *unit = (const float *)tile->unit, *sums = (const float *)tile->sums;
  for (size_t i = 0; i < count; i++) a->log_sums[first + i] = unit[i] + log2f(sums[i]);
}

/// A tile of `n` vectors of queries.
INLINE void attend(const int n, const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  const size_t lanes = (size_t)n * LANES, end = first + count;
  const size_t units = inv_attention_units(a->width, PAIR_SIZE), channels = inv_rounded_up(a->width, BLOCK);
  vector *q = scratch, *o = q + channels * n, *s = o + channels * n;
  // How many keys any query of the tile sees, and how many all of them see.
  const size_t visible = a->causal && end < a->keys ? end : a->keys;
  const size_t unmasked = a->causal && first + 1 < a->keys ? first + 1 : a->keys;
  const int32_t *k = a->packed, *v = k + inv_attention_v_start(a->keys, a->width, PAIR_SIZE);
  struct tile tile;
  load_across(a->q + first * a->q_stride, a->q_stride, a->width, a->scale * LOG2_E, count, lanes, (float *)q);
  memset(o, 0, channels * lanes * sizeof(float));
  UNROLL for (int i = 0; i < n; i++) tile.unit[i] = splat(-INFINITY), tile.sums[i] = splat(0);
  for (size_t key = 0; key < visible; key += KEYS) {
    const size_t left = visible - key, keys = inv_rounded_up(left < KEYS ? left : KEYS, BLOCK);
    const size_t v_units = inv_attention_v_keys(a->keys, key) / PAIR_SIZE;
    if (key == 0 || key + KEYS > unmasked || !hasty_powers(n, units, q, k, &tile, s))
      exact_powers(n, a, first, unmasked, key, keys, q, k, &tile, o, s);
    for (size_t c = 0; c < channels; c += BLOCK) {
      vector acc[VECTORS * BLOCK];
      UNROLL for (int i = 0; i < n * BLOCK; i++) acc[i] = o[c * n + i];
      multiply(n, acc, keys / PAIR_SIZE, s, v + c * v_units);
      UNROLL for (int i = 0; i < n * BLOCK; i++) o[c * n + i] = acc[i];
    }
    k += keys * units;
    v += v_units * channels;
  }
  write_log_sums(a, first, count, &tile);
  UNROLL for (int i = 0; i < n; i++) tile.sums[i] = 1.0f / tile.sums[i];
  write_rows((const float *)o, (const float *)tile.sums, lanes, count, a->width, a->output + first * a->output_stride,
             a->output_stride);
}

/// Vectors that hold so many rows.
INLINE size_t vectors_of(size_t rows) { return (rows + LANES - 1) / LANES; }

/// `function(n, ...)` with an `n` of 1...VECTORS that the compiler knows, so that vectors stay in registers.
#if VECTORS == 4
#define WITH_VECTORS(n, function, ...)          \
  switch (n) {                                  \
    case 1: function(1, __VA_ARGS__); break;    \
    case 2: function(2, __VA_ARGS__); break;    \
    case 3: function(3, __VA_ARGS__); break;    \
    default: function(4, __VA_ARGS__); break;   \
  }
#else
#define WITH_VECTORS(n, function, ...)          \
  switch (n) {                                  \
    case 1: function(1, __VA_ARGS__); break;    \
    default: function(2, __VA_ARGS__); break;   \
  }
#endif

/// As many vectors as the queries need.
INLINE void attention_tile(const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  assert(count >= 1 && count <= VECTORS * LANES && first + count <= a->queries && a->keys >= 1);
  WITH_VECTORS(vectors_of(count), attend, a, first, count, scratch)
}
