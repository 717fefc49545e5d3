// The body of every instruction set's conversions: loops without branches, which the compiler vectorises. The includer
// defines
//   ISA      its name
//   HAS_F16  1 where it converts f16
#include <string.h>

#include "../include/conversions.h"

static inline float f32_from_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static inline uint32_t bits_from_f32(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

#if HAS_F16
static inline float f32_from_f16(uint16_t x) {
  _Float16 half;
  memcpy(&half, &x, sizeof half);
  return (float)half;
}

static inline uint16_t f16_from_f32(float x) {
  const _Float16 half = (_Float16)x;
  uint16_t bits;
  memcpy(&bits, &half, sizeof bits);
  return bits;
}
#else
static inline float f32_from_f16(uint16_t x) {
  // Exponent and mantissa move up 13 bits; multiplying by 2^112 rebiases the exponent and normalises subnormals.
  const uint32_t sign = (uint32_t)(x & 0x8000) << 16, rest = (uint32_t)(x & 0x7FFF) << 13;
  const uint32_t magnitude = bits_from_f32(f32_from_bits(rest) * 0x1p112f);
  // Infinity and NaN keep an all-ones exponent.
  return f32_from_bits(sign | ((x & 0x7C00) == 0x7C00 ? rest | 0x7F800000 : magnitude));
}

static inline uint16_t f16_from_f32(float f) {
  const uint32_t bits = bits_from_f32(f), sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7FFFFFFF;
  const uint32_t normal = (magnitude - 0x38000000 + 0xFFF + ((magnitude >> 13) & 1)) >> 13;
  // Adding 2^-1 places a subnormal result's last bit at the float's last bit, so that the FPU rounds it.
  const uint32_t subnormal = bits_from_f32(f32_from_bits(magnitude) + 0.5f) - 0x3F000000;
  // From 65520 on, numbers round to infinity; the exponent of NaN is higher still.
  const uint32_t special = magnitude > 0x7F800000 ? 0x7E00 : 0x7C00;
  const uint32_t small = magnitude < 0x38800000 ? subnormal : normal;
  return (uint16_t)(sign | (magnitude >= 0x477FF000 ? special : small));
}
#endif

static void f16_to_f32(size_t n, const uint16_t *x, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = f32_from_f16(x[i]);
}

static void bf16_to_f32(size_t n, const uint16_t *x, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = f32_from_bits((uint32_t)x[i] << 16);
}

static void f32_to_f16(size_t n, const float *x, uint16_t *y) {
  for (size_t i = 0; i < n; i++) y[i] = f16_from_f32(x[i]);
}

static void f32_to_bf16(size_t n, const float *x, uint16_t *y) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t bits = bits_from_f32(x[i]), rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    // Rounding could carry a NaN's mantissa out: it is made quiet instead.
    y[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? bits >> 16 | 0x40 : rounded);
  }
}

static void f32_to_f64(size_t n, const float *x, double *y) {
  for (size_t i = 0; i < n; i++) y[i] = x[i];
}

#define INV_PASTE(a, b) a##b
#define INV_NAMED(a, b) INV_PASTE(a, b)
#define INV_QUOTED(a) #a
#define INV_STRING(a) INV_QUOTED(a)
const struct inv_conversions INV_NAMED(inv_conversions__, ISA) = {
    .name = INV_STRING(ISA),
    .isa = INV_NAMED(INV_ISA_, ISA),
    .f16_to_f32 = f16_to_f32,
    .bf16_to_f32 = bf16_to_f32,
    .f32_to_f16 = f32_to_f16,
    .f32_to_bf16 = f32_to_bf16,
    .f32_to_f64 = f32_to_f64,
};
