// Rows of int8 from rows of f32, with the normalisations that come before them. Includes nothing of the instruction
// set: the file that includes this one sets it.
#include <math.h>
#include <string.h>

#include "elementary.h"
#include "quantise.h"
#pragma clang fp reassociate(on) contract(fast)

static void quantise_row(size_t channels, const float *x, size_t stride, int8_t *q, struct inv_qd8_row *row) {
  // Magnitudes order as their bits do, and a maximum of integers is vectorised. NaN is the largest: it makes the scale
  // NaN, and so every output of the row.
  int32_t largest_bits = 0;
  for (size_t c = 0; c < channels; c++) {
    int32_t magnitude;
    memcpy(&magnitude, x + c, sizeof magnitude);
    magnitude &= 0x7FFFFFFF;
    largest_bits = magnitude > largest_bits ? magnitude : largest_bits;
  }
  float largest;
  memcpy(&largest, &largest_bits, sizeof largest);
  const float inverse = largest == 0 ? 0 : 127.0f / largest;
  int32_t sum = 0;
  for (size_t c = 0; c < channels; c++) {
    // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even, and leaves it in the low bits.
    const float shifted = x[c] * inverse + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    q[c] = (int8_t)bits;
    sum += (int8_t)bits;
  }
  memset(q + channels, 0, stride - channels);
  *row = (struct inv_qd8_row){.scale = largest / 127.0f, .sum = sum};
}

static void quantise_rows(size_t rows, size_t channels, const float *x, size_t stride, int8_t *q,
                          struct inv_qd8_row *scales) {
  for (size_t r = 0; r < rows; r++) quantise_row(channels, x + r * channels, stride, q + r * stride, scales + r);
}

static void dequantise_rows(size_t rows, size_t channels, size_t stride, const int8_t *q,
                            const struct inv_qd8_row *scales, float *y) {
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < channels; c++) y[r * channels + c] = scales[r].scale * (float)q[r * stride + c];
}

/// In f32 over a few rows at a time, in f64 across them.
static void channel_moments(size_t rows, size_t channels, const float *x, const float *origin, double *sum,
                            double *squares) {
  enum { ROWS = 32, CHANNELS = 512 };
  float few[CHANNELS], few_squares[CHANNELS];
  for (size_t first = 0; first < channels; first += CHANNELS) {
    const size_t width = channels - first < CHANNELS ? channels - first : CHANNELS;
    for (size_t r = 0; r < rows; r += ROWS) {
      memset(few, 0, sizeof few);
      memset(few_squares, 0, sizeof few_squares);
      for (size_t row = r; row < r + ROWS && row < rows; row++) {
        const float *from = x + row * channels + first;
        for (size_t c = 0; c < width; c++) {
          const float d = from[c] - origin[first + c];
          few[c] += d;
          few_squares[c] += d * d;
        }
      }
      for (size_t c = 0; c < width; c++) sum[first + c] += few[c];
      for (size_t c = 0; c < width; c++) squares[first + c] += few_squares[c];
    }
  }
}

static inline void affine_row(size_t channels, int silu, const float *x, const float *scale, const float *shift,
                              float *y) {
  if (!silu) {
    for (size_t c = 0; c < channels; c++) y[c] = x[c] * scale[c] + shift[c];
    return;
  }
  for (size_t c = 0; c < channels; c++) {
    const float v = x[c] * scale[c] + shift[c];
    y[c] = v / (1.0f + inv_exp(-v));
  }
}

static void affine_rows(size_t rows, size_t channels, int silu, const float *x, const float *scale,
                        const float *shift, float *y) {
  for (size_t r = 0; r < rows; r++) affine_row(channels, silu, x + r * channels, scale, shift, y + r * channels);
}

static void affine_quantise_rows(size_t rows, size_t channels, int silu, const float *x, const float *scale,
                                 const float *shift, float *scratch, size_t stride, int8_t *q,
                                 struct inv_qd8_row *scales) {
  for (size_t r = 0; r < rows; r++) {
    affine_row(channels, silu, x + r * channels, scale, shift, scratch);
    quantise_row(channels, scratch, stride, q + r * stride, scales + r);
  }
}

/// dy times the slope of SiLU at v = x * scale + shift, or dy.
static inline float affine_slope(int silu, float x, float scale, float shift, float dy) {
  if (!silu) return dy;
  const float v = x * scale + shift, s = 1.0f / (1.0f + inv_exp(-v));
  return dy * s * (1.0f + v * (1.0f - s));
}

/// In f32 over a few rows at a time, in f64 across them.
static inline void affine_sums(const int silu, size_t rows, size_t channels, const float *x, const float *scale,
                               const float *shift, size_t stride, const float *dy, const float *origin, double *sum,
                               double *dot) {
  enum { ROWS = 32, CHANNELS = 512 };
  float few[CHANNELS], few_dots[CHANNELS];
  for (size_t first = 0; first < channels; first += CHANNELS) {
    const size_t width = channels - first < CHANNELS ? channels - first : CHANNELS;
    for (size_t r = 0; r < rows; r += ROWS) {
      memset(few, 0, sizeof few);
      memset(few_dots, 0, sizeof few_dots);
      for (size_t row = r; row < r + ROWS && row < rows; row++) {
        const float *at = x + row * channels + first, *slope = dy + row * stride + first;
        for (size_t c = 0; c < width; c++) {
          const float g = affine_slope(silu, at[c], scale[first + c], shift[first + c], slope[c]);
          few[c] += g;
          few_dots[c] += g * (at[c] - origin[first + c]);
        }
      }
      for (size_t c = 0; c < width; c++) sum[first + c] += few[c];
      for (size_t c = 0; c < width; c++) dot[first + c] += few_dots[c];
    }
  }
}

static void affine_gradient_sums(size_t rows, size_t channels, int silu, const float *x, const float *scale,
                                 const float *shift, size_t stride, const float *dy, const float *origin, double *sum,
                                 double *dot) {
  if (silu)
    affine_sums(1, rows, channels, x, scale, shift, stride, dy, origin, sum, dot);
  else
    affine_sums(0, rows, channels, x, scale, shift, stride, dy, origin, sum, dot);
}

static void affine_input_gradient(size_t rows, size_t channels, int silu, const float *x, const float *scale,
                                  const float *shift, size_t stride, const float *dy, const float *from_dy,
                                  const float *from_x, const float *constant, const float *old, float *dx) {
  for (size_t r = 0; r < rows; r++, x += channels, dy += stride, dx += channels) {
    if (silu)
      for (size_t c = 0; c < channels; c++)
        dx[c] = affine_slope(1, x[c], scale[c], shift[c], dy[c]) * from_dy[c] + x[c] * from_x[c] + constant[c];
    else
      for (size_t c = 0; c < channels; c++) dx[c] = dy[c] * from_dy[c] + x[c] * from_x[c] + constant[c];
    if (!old) continue;
    for (size_t c = 0; c < channels; c++) dx[c] += old[c];
    old += channels;
  }
}

static void layer_norm_quantise_rows(size_t rows, size_t channels, double eps, const float *x, const float *gamma,
                                     const float *beta, float *scratch, float *mean, float *rstd, size_t stride,
                                     int8_t *q, struct inv_qd8_row *scales) {
  for (size_t r = 0; r < rows; r++, x += channels) {
    float sum = 0, squares = 0;
    for (size_t c = 0; c < channels; c++) sum += x[c];
    const float middle = sum / (float)channels;
    for (size_t c = 0; c < channels; c++) squares += (x[c] - middle) * (x[c] - middle);
    const float power = (float)(1 / sqrt(squares / (double)channels + eps));
    mean[r] = middle;
    rstd[r] = power;
    for (size_t c = 0; c < channels; c++) scratch[c] = (x[c] - middle) * power * gamma[c] + beta[c];
    quantise_row(channels, scratch, stride, q + r * stride, scales + r);
  }
}

const struct inv_quantise_kernels INV_TABLE = {
#define INV_KERNEL(name, arguments) .name = name,
#include "quantise.inc"
#undef INV_KERNEL
};
