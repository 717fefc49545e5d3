// How K and V are packed. A unit is what one 32-bit lane multiplies: an f32, or a pair of bf16 or int16.
//   K: [block of keys][unit of channels][key of the block], pairs along the channels
//   V: [tile of keys][block of channels][unit of keys][channel of the block], pairs along the keys
// Keys and channels are padded with zeros to whole blocks. Behind int16 lie, for each tile of keys, what K's and V's
// integers are multiplied by.
#pragma once
#include <math.h>

#include "../include/flash_attention.h"

static inline size_t inv_rounded_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/// Elements of a unit.
static inline size_t inv_attention_pair(enum inv_attention_precision precision) {
  return precision == INV_ATTENTION_F32 ? 1 : 2;
}

/// What the largest elements become in int16, so that no sum of products leaves int32. A sum over channels has two
/// factors of at most inv_channel_levels; one over a tile's keys has one that is packed and one that is computed.
#define INV_PACKED_LEVELS 1023
/// A little below INT16_MAX, for powers are rounded up by a ten-thousandth at most.
#define INV_COMPUTED_LEVELS 32700
_Static_assert((int64_t)INV_PACKED_LEVELS * INT16_MAX * INV_ATTENTION_KEYS <= INT32_MAX, "sums fit");

static inline float inv_channel_levels(size_t width) {
  const float levels = floorf(sqrtf((float)INT32_MAX / (float)width)) - 1;
  return levels < INT16_MAX ? levels : INT16_MAX;
}

/// Units of one key's channels.
static inline size_t inv_attention_units(size_t width, size_t pair) { return (width + pair - 1) / pair; }

/// Where V begins, in units from the start of K.
static inline size_t inv_attention_v_start(size_t keys, size_t width, size_t pair) {
  return inv_rounded_up(keys, INV_ATTENTION_BLOCK) * inv_attention_units(width, pair);
}

/// Where the int16 form's scales begin, K's and V's of each tile of keys, in units from the start of K.
static inline size_t inv_attention_scales_start(size_t keys, size_t width) {
  const size_t v = inv_rounded_up(keys, INV_ATTENTION_BLOCK) / 2 * inv_rounded_up(width, INV_ATTENTION_BLOCK);
  return inv_attention_v_start(keys, width, 2) + v;
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
  /// What becomes int16 is f32 first.
  size_t p, ds, ds_rows;
  size_t total;
};

/// `tile`: keys of a tile.
struct inv_gradient_layout inv_gradient_layout(enum inv_attention_precision precision, size_t tile, size_t queries,
                                               size_t width);
