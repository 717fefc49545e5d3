// How K and V are packed. A unit is what one 32-bit lane multiplies: an f32, or a pair of bf16.
//   K: [block of keys][unit of channels][key of the block], pairs along the channels
//   V: [tile of keys][block of channels][unit of keys][channel of the block], pairs along the keys
// Keys and channels are padded with zeros to whole blocks.
#pragma once
#include "../include/flash_attention.h"

static inline size_t inv_rounded_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/// Elements of a unit.
static inline size_t inv_attention_pair(enum inv_attention_precision precision) {
  return precision == INV_ATTENTION_BF16 ? 2 : 1;
}

/// Units of one key's channels.
static inline size_t inv_attention_units(size_t width, size_t pair) { return (width + pair - 1) / pair; }

/// Where V begins, in units from the start of K.
static inline size_t inv_attention_v_start(size_t keys, size_t width, size_t pair) {
  return inv_rounded_up(keys, INV_ATTENTION_BLOCK) * inv_attention_units(width, pair);
}

/// Keys in the tile of V that begins at key `first`.
static inline size_t inv_attention_v_keys(size_t keys, size_t first) {
  const size_t left = inv_rounded_up(keys, INV_ATTENTION_BLOCK) - first;
  return left < INV_ATTENTION_KEYS ? left : INV_ATTENTION_KEYS;
}

/// inv_attention_pack with K times `k_scale`.
void inv_attention_pack_scaled(enum inv_attention_precision precision, size_t keys, size_t width, const float *k,
                               size_t k_stride, float k_scale, const float *v, size_t v_stride, void *packed);

/// Parts of the scratch of a gradient, in floats from its start, each on a cache line of its own.
struct inv_gradient_layout {
  /// What the queries' side is packed into, per head: Q and dY as K and V, then dY and Q.
  size_t q_dy, dy_q;
  /// (queries up to a multiple of INV_ATTENTION_BLOCK): log-sums, and the rows' sums of dY * Y.
  size_t log_sums, dy_y;
  /// (queries, channels across): the sums that become dQ.
  size_t dq;
  /// Of a tile of keys: K and V with their keys across, K with its channels across, and the sums of dK and dV.
  size_t k, v, k_rows, dk, dv;
  /// Of a tile of keys and INV_ATTENTION_KEYS queries: P and dS with the keys across, and dS's rows as pairs of keys.
  size_t p, ds, ds_rows;
  size_t total;
};

/// `tile`: keys of a tile.
struct inv_gradient_layout inv_gradient_layout(enum inv_attention_precision precision, size_t tile, size_t queries,
                                               size_t width);
