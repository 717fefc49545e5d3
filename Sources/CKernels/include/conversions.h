// Conversions between the element types of files and of the engine, n elements each. Narrowing rounds to the nearest,
// ties to even; NaN stays NaN.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ckernels.h"

/// The conversions of one instruction set.
struct inv_conversions {
  const char *_Nonnull name;
  enum inv_isa isa;
  void (*_Nonnull f16_to_f32)(size_t n, const uint16_t *_Nonnull x, float *_Nonnull y);
  void (*_Nonnull bf16_to_f32)(size_t n, const uint16_t *_Nonnull x, float *_Nonnull y);
  void (*_Nonnull f32_to_f16)(size_t n, const float *_Nonnull x, uint16_t *_Nonnull y);
  void (*_Nonnull f32_to_bf16)(size_t n, const float *_Nonnull x, uint16_t *_Nonnull y);
  void (*_Nonnull f32_to_f64)(size_t n, const float *_Nonnull x, double *_Nonnull y);
};

/// Those that this machine can run, best first; NULL past the last, which is the scalar one.
const struct inv_conversions *_Nullable inv_conversions_at(size_t index);
