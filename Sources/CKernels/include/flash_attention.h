// Attention without its matrix of scores: softmax(scale * Q K^T) V of one head, a tile of queries at a time, over tiles
// of keys, with a running maximum and sum (Milakov and Gimelshein 2018; Dao et al. 2022).
//
// Queries lie in the lanes of vectors and the head's width d is looped over, so no d wastes lanes, and a softmax needs
// no sums across lanes. Both products are the same loop: a column of vectors times broadcast scalars.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ckernels.h"

/// Keys (of K) and channels (of V) that a microkernel computes at once.
#define INV_ATTENTION_BLOCK 4
/// Keys whose scores for a tile of queries exist at once: 64 x 64 f32 are half of a first-level cache.
#define INV_ATTENTION_KEYS 64

/// In what the products are computed; sums and the softmax are f32 always. The others have products of half the cost.
/// Results of bf16 are good to about 2^-8 of the largest value, those of int16, with a scale for each tile of keys and
/// each query, to about 2^-10.
enum inv_attention_precision { INV_ATTENTION_F32 = 0, INV_ATTENTION_BF16 = 1, INV_ATTENTION_I16 = 2 };

/// Some queries of one head against all its keys.
struct inv_attention {
  size_t queries, keys;
  /// Channels of the head.
  size_t width;
  /// Of the scores before the softmax, usually 1 / sqrt(width).
  float scale;
  /// Query i sees keys 0...i.
  int causal;
  /// (queries, width) with a row stride in elements.
  const float *_Nonnull q;
  size_t q_stride;
  /// What inv_attention_pack made of K and V.
  const void *_Nonnull packed;
  /// (queries, width) with a row stride in elements.
  float *_Nonnull output;
  size_t output_stride;
  /// Where the gradient will be wanted, (queries): the binary logarithm of each query's sum of exp(scale * q k).
  float *_Nullable log_sums;
};

/// Input gradients of one head, from the gradient dY of its output Y: with P = softmax(scale * Q K^T), recomputed a
/// tile at a time from the log-sums, dV = P^T dY, dS = P (dY V^T - rowsum(dY * Y)), dQ = scale * dS K,
/// dK = scale * dS^T Q.
struct inv_attention_gradient {
  size_t queries, keys;
  /// Channels of the head.
  size_t width;
  float scale;
  /// Query i sees keys 0...i.
  int causal;
  /// (queries, width) and (keys, width) with row strides in elements; y is what the forward made.
  const float *_Nonnull q, *_Nonnull k, *_Nonnull v, *_Nonnull y, *_Nonnull dy;
  size_t q_stride, k_stride, v_stride, y_stride, dy_stride;
  /// Of the forward in the same precision.
  const float *_Nonnull log_sums;
  float *_Nonnull dq, *_Nonnull dk, *_Nonnull dv;
  size_t dq_stride, dk_stride, dv_stride;
};

/// Computes queries `first..<first + count`, at most the microkernel's `queries`.
typedef void (*inv_attention_run)(const struct inv_attention *_Nonnull attention, size_t first, size_t count,
                                  void *_Nonnull scratch);

/// Computes all of dq, dk and dv.
typedef void (*inv_attention_gradient_run)(const struct inv_attention_gradient *_Nonnull gradient,
                                           void *_Nonnull scratch);

/// A microkernel, its gradient's, and the machine they need.
struct inv_attention_ukernel {
  const char *_Nonnull name;
  enum inv_isa isa;
  enum inv_attention_precision precision;
  inv_attention_run _Nonnull run;
  inv_attention_gradient_run _Nonnull gradient;
  /// Queries of a tile; in the gradient, keys.
  size_t queries;
};

/// The microkernels that this machine can run, best first of each precision; NULL past the last, the scalar f32 one.
const struct inv_attention_ukernel *_Nullable inv_attention_at(size_t index);

/// Bytes of packed K and V.
size_t inv_attention_packed_bytes(enum inv_attention_precision precision, size_t keys, size_t width);

/// Packs k and v (keys, width), with row strides in elements, as all microkernels of that precision read them.
void inv_attention_pack(enum inv_attention_precision precision, size_t keys, size_t width, const float *_Nonnull k,
                        size_t k_stride, const float *_Nonnull v, size_t v_stride, void *_Nonnull packed);

/// Bytes of 64-byte aligned memory that a call of a microkernel needs for itself.
size_t inv_attention_scratch_bytes(const struct inv_attention_ukernel *_Nonnull kernel, size_t width);

/// As inv_attention_scratch_bytes, for a call of its gradient.
size_t inv_attention_gradient_scratch_bytes(const struct inv_attention_ukernel *_Nonnull kernel, size_t queries,
                                            size_t width);
