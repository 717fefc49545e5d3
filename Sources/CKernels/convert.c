// Conversions between the element types of files and of the engine. They run once, at load.
#include <string.h>

#include "ckernels.h"

static float f32_from_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static uint32_t bits_from_f32(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

void inv_f16_to_f32(size_t n, const uint16_t *x, float *y) {
  // Exponent and mantissa move up 13 bits; multiplying by 2^112 rebiases the exponent and normalises subnormals.
  const float rebias = 0x1p112f;
  for (size_t i = 0; i < n; i++) {
    const uint32_t sign = (uint32_t)(x[i] & 0x8000) << 16, rest = (uint32_t)(x[i] & 0x7FFF) << 13;
    const uint32_t magnitude = bits_from_f32(f32_from_bits(rest) * rebias);
    // Infinity and NaN keep an all-ones exponent.
    y[i] = f32_from_bits(sign | ((x[i] & 0x7C00) == 0x7C00 ? rest | 0x7F800000 : magnitude));
  }
}

void inv_bf16_to_f32(size_t n, const uint16_t *x, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = f32_from_bits((uint32_t)x[i] << 16);
}

static uint16_t f16_from_f32(float f) {
  const uint32_t bits = bits_from_f32(f), sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return (uint16_t)(sign | 0x7E00);   // NaN
  if (magnitude >= 0x477FF000) return (uint16_t)(sign | 0x7C00);  // rounds to infinity
  if (magnitude < 0x38800000) {
    // Subnormal: adding 2^-1 places the result's last bit at the float's last bit, so that the FPU rounds it.
    const uint32_t rounded = bits_from_f32(f32_from_bits(magnitude) + 0.5f) - 0x3F000000;
    return (uint16_t)(sign | rounded);
  }
  const uint32_t even = (magnitude >> 13) & 1;
  return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xFFF + even) >> 13));
}

void inv_f32_to_f16(size_t n, const float *x, uint16_t *y) {
  for (size_t i = 0; i < n; i++) y[i] = f16_from_f32(x[i]);
}

void inv_f32_to_f64(size_t n, const float *x, double *y) {
  for (size_t i = 0; i < n; i++) y[i] = x[i];
}
