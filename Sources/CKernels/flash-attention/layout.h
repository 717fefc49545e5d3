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
