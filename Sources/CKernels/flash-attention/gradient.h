// The body of every gradient: keys in the lanes of vectors, tile by tile, against all queries, INV_ATTENTION_KEYS at a
// time. dK and dV of a tile stay in cache, dQ of all queries is summed in scratch. The includer defines what tile.h
// asks for.
#pragma once
#include "tile.h"

/// What a tile of keys works with; see inv_gradient_layout.
struct gradient {
  const struct inv_attention_gradient *of;
  /// Units of a row, channels up to a multiple of BLOCK, and vectors of a row with its channels across.
  size_t units, channels, across;
  const int32_t *q_dy, *dy_q;
  /// Both negative, as products add to them.
  float *log_sums, *dy_y;
  vector *dq, *k, *v, *k_rows, *dk, *dv, *p, *ds, *ds_rows;
};

static struct gradient gradient_of(enum inv_attention_precision form, const struct inv_attention_gradient *a,
                                   float *scratch) {
  const struct inv_gradient_layout at = inv_gradient_layout(form, VECTORS * LANES, a->queries, a->width);
  return (struct gradient){
      .of = a,
      .units = inv_attention_units(a->width, inv_attention_pair(form)),
      .channels = inv_rounded_up(a->width, BLOCK),
      .across = (a->width + LANES - 1) / LANES,
      .q_dy = (int32_t *)(scratch + at.q_dy),
      .dy_q = (int32_t *)(scratch + at.dy_q),
      .log_sums = scratch + at.log_sums,
      .dy_y = scratch + at.dy_y,
      .dq = (vector *)(scratch + at.dq),
      .k = (vector *)(scratch + at.k),
      .v = (vector *)(scratch + at.v),
      .k_rows = (vector *)(scratch + at.k_rows),
      .dk = (vector *)(scratch + at.dk),
      .dv = (vector *)(scratch + at.dv),
      .p = (vector *)(scratch + at.p),
      .ds = (vector *)(scratch + at.ds),
      .ds_rows = (vector *)(scratch + at.ds_rows),
  };
}

/// The sum of dy * y, with dy rounded as in the product dY V^T that it is subtracted from: their difference is small
/// where one key has nearly all weight.
static float row_product(const float *dy, const float *y, size_t width) {
  inv_four sums = {};
  for (size_t c = 0; c < width; c += 4) {
    inv_four slopes = inv_row_four(dy, c, width);
    if (BF16) slopes = (inv_four)(inv_bf16_words(slopes) & 0xFFFF0000);
    sums += slopes * inv_row_four(y, c, width);
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

/// The queries' side of a head. Queries past the last have no power.
static void prepare(const struct gradient *g) {
  const struct inv_attention_gradient *a = g->of;
  const size_t rows = inv_rounded_up(a->queries, BLOCK);
  // Scaled before rounding, as in the forward, whose scores these are again.
  inv_attention_pack_scaled(FORM, a->queries, a->width, a->q, a->q_stride, a->scale * LOG2_E, a->dy, a->dy_stride,
                            (void *)g->q_dy);
  inv_attention_pack(FORM, a->queries, a->width, a->dy, a->dy_stride, a->q, a->q_stride, (void *)g->dy_q);
  for (size_t i = 0; i < rows; i++) {
    const int there = i < a->queries;
    g->log_sums[i] = there ? -a->log_sums[i] : -1e30f;
    g->dy_y[i] = there ? -row_product(a->dy + i * a->dy_stride, a->y + i * a->y_stride, a->width) : 0;
  }
  memset(g->dq, 0, rows * g->across * sizeof(vector));
}

/// `count` keys from `key` on as the products read them, up to `keys` with repeated ones, whose k_rows are zero.
static void load_keys(const struct gradient *g, size_t key, size_t count, size_t keys) {
  const struct inv_attention_gradient *a = g->of;
  const float *k = a->k + key * a->k_stride, *v = a->v + key * a->v_stride;
  load_across(k, a->k_stride, a->width, 1, count, keys, (float *)g->k);
  load_across(v, a->v_stride, a->width, 1, count, keys, (float *)g->v);
  vector *to = g->k_rows;
  for (size_t j = 0; j < keys; j += PAIR_SIZE)
    for (size_t c = 0; c < a->width; c += LANES, to++) {
      const size_t bytes = (a->width - c < LANES ? a->width - c : LANES) * sizeof(float);
      vector rows[2] = {};
      for (size_t i = 0; i < PAIR_SIZE; i++)
        if (j + i < count) memcpy(&rows[i], k + (j + i) * a->k_stride + c, bytes);
#if BF16
      *to = PAIRS(HALVES(rows[0], rows[1]));
#else
      *to = rows[0];
#endif
    }
}

/// Hides from the scores of queries `query...` (BLOCK, lanes) the keys `key...` that come after them.
static void hide_later(size_t query, size_t key, size_t lanes, float *scores) {
  for (size_t b = 0; b < BLOCK; b++)
    for (size_t lane = 0; lane < lanes; lane++)
      if (key + lane > query + b) scores[b * lanes + lane] = -INFINITY;
}

/// A block of queries' rows (BLOCK, n) as units of queries with the keys across, and unless NULL in `halves`, the rows
/// of a unit one after the other.
INLINE void store_units(const int n, const vector *rows, vector *to, vector *halves) {
  UNROLL for (int b = 0; b < BLOCK; b += PAIR_SIZE) {
    UNROLL for (int i = 0; i < n; i++, to++) {
#if BF16
      const vector both = HALVES(rows[b * n + i], rows[(b + 1) * n + i]);
      if (halves) *halves++ = both;
      *to = PAIRS(both);
#else
      (void)halves;
      *to = rows[b * n + i];
#endif
    }
  }
}

/// P and dS of the queries `query..<query + queries` and a tile of keys.
INLINE void score_gradients(const int n, const struct gradient *g, size_t query, size_t queries, size_t key) {
  const int masked = g->of->causal && key + (size_t)n * LANES > query + 1;
  const int32_t *q = g->q_dy + query * g->units, *dy = g->dy_q + query * g->units;
  const int step = n * BLOCK / PAIR_SIZE;
  vector *p = g->p, *ds = g->ds, *rows = g->ds_rows;
  for (size_t j = 0; j < queries; j += BLOCK, q += g->units * BLOCK, dy += g->units * BLOCK) {
    vector powers[VECTORS * BLOCK], slopes[VECTORS * BLOCK];
    UNROLL for (int i = 0; i < n * BLOCK; i++) powers[i] = splat(g->log_sums[query + j + i / n]);
    multiply(n, powers, g->units, g->k, q);
    if (masked) {
      // Not `powers`, which an address would keep out of registers.
      vector scores[VECTORS * BLOCK];
      UNROLL for (int i = 0; i < n * BLOCK; i++) scores[i] = powers[i];
      hide_later(query + j, key, (size_t)n * LANES, (float *)scores);
      UNROLL for (int i = 0; i < n * BLOCK; i++) powers[i] = scores[i];
    }
    UNROLL for (int i = 0; i < n * BLOCK; i++) powers[i] = exp2_of(powers[i]);
    store_units(n, powers, p, NULL);
    UNROLL for (int i = 0; i < n * BLOCK; i++) slopes[i] = splat(g->dy_y[query + j + i / n]);
    multiply(n, slopes, g->units, g->v, dy);
    UNROLL for (int i = 0; i < n * BLOCK; i++) slopes[i] *= powers[i];
    store_units(n, slopes, ds, rows);
    p += step, ds += step, rows += step;
  }
}

/// sums (channels, n) += the queries' units of `weights` times their packed rows.
INLINE void add_keys(const int n, const struct gradient *g, size_t units, const vector *weights, const int32_t *rows,
                     vector *sums) {
  for (size_t c = 0; c < g->channels; c += BLOCK, sums += BLOCK * n, rows += BLOCK * units) {
    vector acc[VECTORS * BLOCK];
    UNROLL for (int i = 0; i < n * BLOCK; i++) acc[i] = sums[i];
    multiply(n, acc, units, weights, rows);
    UNROLL for (int i = 0; i < n * BLOCK; i++) sums[i] = acc[i];
  }
}

/// dq (queries, across), `m` vectors of each row from vector `c` on, += dS K over a tile of `n` vectors of keys.
INLINE void add_query_vectors(const int m, const struct gradient *g, size_t query, size_t queries, size_t n,
                              size_t c) {
  // Units of a vector that belong to one row.
  enum { UNITS = LANES / PAIR_SIZE };
  vector *dq = g->dq + query * g->across + c;
  const int32_t *ds = (const int32_t *)g->ds_rows;
  for (size_t j = 0; j < queries; j += BLOCK, dq += BLOCK * g->across, ds += BLOCK * n * UNITS) {
    vector acc[VECTORS * BLOCK];
    const vector *k = g->k_rows + c;
    UNROLL for (int i = 0; i < m * BLOCK; i++) acc[i] = dq[i / m * g->across + i % m];
    for (size_t part = 0; part < n; part++) {
      const int32_t *units = ds + part * LANES;
      _Pragma("clang loop unroll(disable)") for (size_t u = 0; u < UNITS; u++, k += g->across) {
        UNROLL for (int b = 0; b < BLOCK; b++) {
          const vector unit = (vector)((bits){} + units[b / PAIR_SIZE * n * LANES + b % PAIR_SIZE * UNITS + u]);
          UNROLL for (int i = 0; i < m; i++) acc[b * m + i] = DOT(acc[b * m + i], k[i], unit);
        }
      }
    }
    UNROLL for (int i = 0; i < m * BLOCK; i++) dq[i / m * g->across + i % m] = acc[i];
  }
}

/// In as few passes as VECTORS allows, of about equal widths.
INLINE void add_queries(const struct gradient *g, size_t query, size_t queries, size_t n) {
  for (size_t c = 0; c < g->across;) {
    const size_t left = g->across - c, passes = (left + VECTORS - 1) / VECTORS, m = (left + passes - 1) / passes;
    WITH_VECTORS(m, add_query_vectors, g, query, queries, n, c)
    c += m;
  }
}

/// The sums of `count` keys as dK and dV.
static void write_keys(const struct gradient *g, size_t key, size_t count, size_t lanes) {
  const struct inv_attention_gradient *a = g->of;
  float one[VECTORS * LANES], scale[VECTORS * LANES];
  for (size_t i = 0; i < VECTORS * LANES; i++) one[i] = 1, scale[i] = a->scale;
  write_rows((const float *)g->dv, one, lanes, count, a->width, a->dv + key * a->dv_stride, a->dv_stride);
  write_rows((const float *)g->dk, scale, lanes, count, a->width, a->dk + key * a->dk_stride, a->dk_stride);
}

/// dK and dV of `count` keys in `n` vectors, and their part of dQ.
INLINE void key_tile(const int n, const struct gradient *g, size_t key, size_t count) {
  const struct inv_attention_gradient *a = g->of;
  const size_t keys = (size_t)n * LANES;
  load_keys(g, key, count, keys);
  memset(g->dk, 0, g->channels * keys * sizeof(float));
  memset(g->dv, 0, g->channels * keys * sizeof(float));
  // Past the part that is like K.
  const size_t rows_start = inv_attention_v_start(a->queries, a->width, PAIR_SIZE);
  const size_t first = a->causal ? key / KEYS * KEYS : 0;
  for (size_t query = first; query < a->queries; query += KEYS) {
    const size_t queries = inv_attention_v_keys(a->queries, query), units = queries / PAIR_SIZE;
    const size_t rows = rows_start + query / PAIR_SIZE * g->channels;
    score_gradients(n, g, query, queries, key);
    add_keys(n, g, units, g->p, g->q_dy + rows, g->dv);
    add_keys(n, g, units, g->ds, g->dy_q + rows, g->dk);
    add_queries(g, query, queries, n);
  }
  write_keys(g, key, count, keys);
}

/// The sums of dS K as dQ.
static void write_queries(const struct gradient *g) {
  const struct inv_attention_gradient *a = g->of;
  for (size_t i = 0; i < a->queries; i++) {
    const float *sums = (const float *)(g->dq + i * g->across);
    for (size_t c = 0; c < a->width; c++) a->dq[i * a->dq_stride + c] = sums[c] * a->scale;
  }
}

INLINE void attention_gradient(const struct inv_attention_gradient *a, void *scratch) {
  assert(a->queries >= 1 && a->keys >= 1 && a->width >= 1);
  const struct gradient g = gradient_of(FORM, a, scratch);
  prepare(&g);
  for (size_t key = 0; key < a->keys; key += VECTORS * LANES) {
    const size_t count = a->keys - key < VECTORS * LANES ? a->keys - key : VECTORS * LANES;
    WITH_VECTORS(vectors_of(count), key_tile, &g, key, count)
  }
  write_queries(&g);
}
