// Matrix products of f32 rows by weights that are stored in 16 bits, f16 or bf16, row-major as files hold them: they
// are widened a panel at a time, so that a mapped file is used in place. Products and sums are f32. (Dot products of
// bf16 pairs would be no faster: x keeps its 24 bits only as a sum of two bf16, which doubles the products.)
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ckernels.h"

/// Elements of K whose widened panel stays in the first-level cache or near it: 32 KB at 32 columns.
#define INV_HALF_DEPTH 256

/// y (rows, outputs) = x (rows, depth) * W^T + bias, with W (outputs, depth). Strides count elements.
struct inv_half_product {
  size_t rows, outputs, depth;
  const float *_Nonnull x;
  size_t x_stride;
  const uint16_t *_Nonnull weights;
  /// bf16, else f16.
  int is_bf16;
  /// (outputs) or NULL.
  const float *_Nullable bias;
  float *_Nonnull y;
  size_t y_stride;
};

/// Computes all rows of columns `first..<first + count`, at most the microkernel's `nr`. `scratch`: INV_HALF_DEPTH * nr
/// f32, 64-byte aligned.
typedef void (*inv_half_gemm_ukernel)(const struct inv_half_product *_Nonnull product, size_t first, size_t count,
                                      float *_Nonnull scratch);

/// A microkernel, and the machine it needs.
struct inv_half_gemm {
  const char *_Nonnull name;
  enum inv_isa isa;
  inv_half_gemm_ukernel _Nonnull run;
  size_t nr;
};

/// The microkernels that this machine can run, best first; NULL past the last, which is the scalar one.
const struct inv_half_gemm *_Nullable inv_half_gemm_at(size_t index);
