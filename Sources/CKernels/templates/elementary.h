// exp and erf for REAL: libm's in double, branch-free polynomials in float so that loops around them vectorise.

#if defined(INV_REAL_IS_DOUBLE) && INV_REAL_IS_DOUBLE

static inline double inv_exp(double x) { return exp(x); }
static inline double inv_erf(double x) { return erf(x); }

#else

/// exp in float: x = n ln 2 + r, |r| <= ln 2 / 2, a degree-6 polynomial of r, then 2^n through the exponent bits.
/// Relative error <= 2e-7 on [-87, 88]; below and above it saturates there.
static inline float inv_exp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  // Adding 1.5 * 2^23 leaves the nearest integer in the low mantissa bits.
  const float magic = 12582912.0f;
  float shifted;
  {
#pragma clang fp reassociate(off)
    shifted = x * 1.44269504088896341f + magic;
  }
  union {
    float f;
    int32_t i;
  } bits = {.f = shifted};
  float n;
  {
#pragma clang fp reassociate(off)
    n = shifted - magic;
  }
  // ln 2 in two parts, so that n * high is exact (Cody and Waite).
  float r = x - n * 0.693145751953125f;
  r = r - n * 1.428606765330187e-06f;
  float p = 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  bits.i = (int32_t)((uint32_t)(bits.i - 0x4B400000 + 127) << 23);
  return p * bits.f;
}

/// erf in float by Abramowitz and Stegun 7.1.26: absolute error <= 2e-7.
static inline float inv_erf(float x) {
  const float a = x < 0 ? -x : x;
  const float t = 1.0f / (1.0f + 0.3275911f * a);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const float y = 1.0f - p * t * inv_exp(-a * a);
  return x < 0 ? -y : y;
}

#endif
