// The body of every gradient whose products are of int16 pairs: as gradient.h, but P and dS of a tile of queries and
// keys are f32 first and become integers relative to the largest of the tile.
#pragma once
#include "gradient.h"
#include "integer-tile.h"

/// What int16 adds to struct gradient.
struct integer_gradient {
  struct gradient base;
  /// Of each tile of queries: what products with Q and dY over channels, and with dY and Q over queries, are.
  const float *q_dy_scales, *dy_q_scales;
  /// Of a tile of keys: what products with each key's K and V are, and with K's rows.
  vector k_scales[VECTORS], v_scales[VECTORS];
  float k_rows_scale;
};

/// The sum of dy * y, with dy rounded as in the product dY V^T that it is subtracted from.
static float integer_row_product(const float *dy, const float *y, size_t width, struct inv_levels levels) {
  inv_four sums = {};
  for (size_t c = 0; c < width; c += 4) {
    const inv_four rounded = inv_row_four(dy, c, width) * levels.to + INV_TO_INTEGER - INV_TO_INTEGER;
    sums += rounded * levels.from * inv_row_four(y, c, width);
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

/// The queries' side of a head. Queries past the last have no power.
static void prepare_integers(const struct integer_gradient *integer) {
  const struct gradient *g = &integer->base;
  const struct inv_attention_gradient *a = g->of;
  const size_t rows = inv_rounded_up(a->queries, BLOCK);
  inv_attention_pack_scaled(INV_ATTENTION_I16, a->queries, a->width, a->q, a->q_stride, a->scale * LOG2_E, a->dy,
                            a->dy_stride, (void *)g->q_dy);
  inv_attention_pack(INV_ATTENTION_I16, a->queries, a->width, a->dy, a->dy_stride, a->q, a->q_stride,
                     (void *)g->dy_q);
  for (size_t i = 0; i < rows; i++) {
    const int there = i < a->queries;
    const float from = integer->dy_q_scales[i / KEYS * 2];
    const struct inv_levels levels = {from > 0 ? 1 / from : 0, from};
    g->log_sums[i] = there ? -a->log_sums[i] : -1e30f;
    g->dy_y[i] =
        there ? -integer_row_product(a->dy + i * a->dy_stride, a->y + i * a->y_stride, a->width, levels) : 0;
  }
  memset(g->dq, 0, rows * g->across * sizeof(vector));
}

/// `count` keys from `key` on as the products read them, up to `keys` with repeated ones, whose k_rows are zero.
static void load_integer_keys(struct integer_gradient *integer, size_t key, size_t count, size_t keys) {
  const struct gradient *g = &integer->base;
  const struct inv_attention_gradient *a = g->of;
  const float *k = a->k + key * a->k_stride, *v = a->v + key * a->v_stride;
  load_integers(k, a->k_stride, a->width, count, keys, NULL, inv_channel_levels(a->width), (bits *)g->k,
                (float *)integer->k_scales);
  // Rounded as in the forward: where one key has nearly all weight, the gradient is a difference of nearly equal
  // values.
  const size_t first = key / KEYS * KEYS, end = first + KEYS < a->keys ? first + KEYS : a->keys;
  float largest = 0;
  for (size_t j = first; j < end; j++) largest = inv_largest_of(a->v + j * a->v_stride, a->width, largest);
  load_integers(v, a->v_stride, a->width, count, keys, &largest, INV_PACKED_LEVELS, (bits *)g->v,
                (float *)integer->v_scales);
  largest = 0;
  for (size_t j = 0; j < count; j++) largest = inv_largest_of(k + j * a->k_stride, a->width, largest);
  const struct inv_levels levels = inv_levels_of(largest, INV_PACKED_LEVELS);
  integer->k_rows_scale = levels.from;
  bits *to = (bits *)g->k_rows;
  for (size_t j = 0; j < keys; j += 2)
    for (size_t c = 0; c < a->width; c += LANES, to++) {
      const size_t bytes = (a->width - c < LANES ? a->width - c : LANES) * sizeof(float);
      vector rows[2] = {};
      for (size_t i = 0; i < 2; i++)
        if (j + i < count) memcpy(&rows[i], k + (j + i) * a->k_stride + c, bytes);
      *to = pairs(halves(rows[0] * levels.to), halves(rows[1] * levels.to));
    }
}

INLINE vector magnitude(vector x) { return (vector)((bits)x & 0x7FFFFFFF); }

INLINE float largest_lane(vector x) {
  float most = x[0];
  for (int lane = 1; lane < LANES; lane++) most = x[lane] > most ? x[lane] : most;
  return most;
}

/// P and dS (queries, n) of the queries `query..<query + queries` and a tile of keys, in f32, and the largest of each.
INLINE void integer_score_gradients(const int n, const struct integer_gradient *integer, size_t query, size_t queries,
                                    size_t key, float *most_p, float *most_ds) {
  const struct gradient *g = &integer->base;
  const int masked = g->of->causal && key + (size_t)n * LANES > query + 1;
  const int32_t *q = g->q_dy + query * g->units, *dy = g->dy_q + query * g->units;
  const float q_scale = integer->q_dy_scales[query / KEYS * 2], dy_scale = integer->dy_q_scales[query / KEYS * 2];
  vector score_scales[VECTORS], slope_scales[VECTORS], largest_p = {}, largest_ds = {}, *p = g->p, *ds = g->ds;
  UNROLL for (int i = 0; i < n; i++) {
    score_scales[i] = integer->k_scales[i] * q_scale;
    slope_scales[i] = integer->v_scales[i] * dy_scale;
  }
  for (size_t j = 0; j < queries; j += BLOCK, p += n * BLOCK, ds += n * BLOCK) {
    const float *log_sums = g->log_sums + query + j, *dy_y = g->dy_y + query + j;
    bits acc[VECTORS * BLOCK] = {};
    multiply_pairs(n, acc, g->units, (const bits *)g->k, q + j * g->units);
    UNROLL for (int i = 0; i < n * BLOCK; i++) p[i] = floats(acc[i]) * score_scales[i % n] + log_sums[i / n];
    if (masked) hide_later(query + j, key, (size_t)n * LANES, (float *)p);
    UNROLL for (int i = 0; i < n * BLOCK; i++) p[i] = short_exp2(p[i]);
    UNROLL for (int i = 0; i < n * BLOCK; i++) acc[i] = (bits){};
    multiply_pairs(n, acc, g->units, (const bits *)g->v, dy + j * g->units);
    UNROLL for (int i = 0; i < n * BLOCK; i++) {
      ds[i] = (floats(acc[i]) * slope_scales[i % n] + dy_y[i / n]) * p[i];
      largest_p = larger(largest_p, p[i]);
      largest_ds = larger(largest_ds, magnitude(ds[i]));
    }
  }
  *most_p = largest_lane(largest_p);
  *most_ds = largest_lane(largest_ds);
}

/// Rows of f32 (queries, n) times a factor to pairs of queries, in the same place, and unless NULL to pairs of keys, in
/// `row_pairs`: a unit's two rows, one after the other, for each vector.
INLINE void to_pairs(const int n, size_t queries, float factor, vector *rows, int16_t *row_pairs) {
  typedef int16_t row_of __attribute__((vector_size(LANES * sizeof(int16_t))));
  bits *to = (bits *)rows;
  vector errors[VECTORS] = {};
  for (size_t j = 0; j < queries; j += 2, rows += 2 * n, to += n) {
    UNROLL for (int i = 0; i < n; i++) {
      const bits even = carried_halves(rows[i] * factor, &errors[i]);
      const bits odd = carried_halves(rows[n + i] * factor, &errors[i]);
      to[i] = pairs(even, odd);
      if (row_pairs) {
        const row_of first = __builtin_convertvector(even, row_of), second = __builtin_convertvector(odd, row_of);
        memcpy(row_pairs, &first, sizeof first);
        memcpy(row_pairs + LANES, &second, sizeof second);
        row_pairs += 2 * LANES;
      }
    }
  }
}

/// sums (channels, n) += the queries' units of `weights` times their packed rows, times the scale.
INLINE void add_integer_keys(const int n, const struct gradient *g, size_t units, const bits *weights,
                             const int32_t *rows, float scale, vector *sums) {
  for (size_t c = 0; c < g->channels; c += BLOCK, sums += BLOCK * n, rows += BLOCK * units) {
    bits acc[VECTORS * BLOCK] = {};
    multiply_pairs(n, acc, units, weights, rows);
    UNROLL for (int i = 0; i < n * BLOCK; i++) sums[i] += floats(acc[i]) * scale;
  }
}

/// dq (queries, across), `m` vectors of each row from vector `c` on, += dS K over a tile of `n` vectors of keys, times
/// the scale.
INLINE void add_integer_query_vectors(const int m, const struct gradient *g, size_t query, size_t queries, size_t n,
                                      size_t c, float scale) {
  enum { UNITS = LANES / 2 };
  vector *dq = g->dq + query * g->across + c;
  const int32_t *ds = (const int32_t *)g->ds_rows;
  for (size_t j = 0; j < queries; j += BLOCK, dq += BLOCK * g->across, ds += BLOCK * n * UNITS) {
    bits acc[VECTORS * BLOCK] = {};
    const bits *k = (const bits *)g->k_rows + c;
    for (size_t part = 0; part < n; part++) {
      const int32_t *units = ds + part * LANES;
      _Pragma("clang loop unroll(disable)") for (size_t u = 0; u < UNITS; u++, k += g->across) {
        UNROLL for (int b = 0; b < BLOCK; b++) {
          const bits unit = (bits){} + units[b / 2 * n * LANES + b % 2 * UNITS + u];
          UNROLL for (int i = 0; i < m; i++) acc[b * m + i] = DOT16(acc[b * m + i], k[i], unit);
        }
      }
    }
    UNROLL for (int i = 0; i < m * BLOCK; i++) dq[i / m * g->across + i % m] += floats(acc[i]) * scale;
  }
}

/// In as few passes as VECTORS allows, of about equal widths.
INLINE void add_integer_queries(const struct gradient *g, size_t query, size_t queries, size_t n, float scale) {
  for (size_t c = 0; c < g->across;) {
    const size_t left = g->across - c, passes = (left + VECTORS - 1) / VECTORS, m = (left + passes - 1) / passes;
    WITH_VECTORS(m, add_integer_query_vectors, g, query, queries, n, c, scale)
    c += m;
  }
}

/// dK and dV of `count` keys in `n` vectors, and their part of dQ.
INLINE void integer_key_tile(const int n, struct integer_gradient *integer, size_t key, size_t count) {
  const struct gradient *g = &integer->base;
  const struct inv_attention_gradient *a = g->of;
  const size_t keys = (size_t)n * LANES;
  load_integer_keys(integer, key, count, keys);
  memset(g->dk, 0, g->channels * keys * sizeof(float));
  memset(g->dv, 0, g->channels * keys * sizeof(float));
  const size_t rows_start = inv_attention_v_start(a->queries, a->width, 2);
  const size_t first = a->causal ? key / KEYS * KEYS : 0;
  for (size_t query = first; query < a->queries; query += KEYS) {
    const size_t queries = inv_attention_v_keys(a->queries, query), units = queries / 2;
    const size_t rows = rows_start + query / 2 * g->channels;
    float most_p, most_ds;
    integer_score_gradients(n, integer, query, queries, key, &most_p, &most_ds);
    const struct inv_levels p = inv_levels_of(most_p, INV_COMPUTED_LEVELS);
    const struct inv_levels ds = inv_levels_of(most_ds, INV_COMPUTED_LEVELS);
    to_pairs(n, queries, p.to, g->p, NULL);
    to_pairs(n, queries, ds.to, g->ds, (int16_t *)g->ds_rows);
    const float dy_scale = integer->q_dy_scales[query / KEYS * 2 + 1];
    const float q_scale = integer->dy_q_scales[query / KEYS * 2 + 1];
    add_integer_keys(n, g, units, (const bits *)g->p, g->q_dy + rows, p.from * dy_scale, g->dv);
    add_integer_keys(n, g, units, (const bits *)g->ds, g->dy_q + rows, ds.from * q_scale, g->dk);
    add_integer_queries(g, query, queries, n, ds.from * integer->k_rows_scale);
  }
  write_keys(g, key, count, keys);
}

INLINE void integer_attention_gradient(const struct inv_attention_gradient *a, void *scratch) {
  assert(a->queries >= 1 && a->keys >= 1 && a->width >= 1);
  struct integer_gradient integer = {.base = gradient_of(INV_ATTENTION_I16, a, scratch)};
  const size_t scales = inv_attention_scales_start(a->queries, a->width);
  integer.q_dy_scales = (const float *)(integer.base.q_dy + scales);
  integer.dy_q_scales = (const float *)(integer.base.dy_q + scales);
  prepare_integers(&integer);
  for (size_t key = 0; key < a->keys; key += VECTORS * LANES) {
    const size_t count = a->keys - key < VECTORS * LANES ? a->keys - key : VECTORS * LANES;
    WITH_VECTORS(vectors_of(count), integer_key_tile, &integer, key, count)
  }
  write_queries(&integer.base);
}
