// Packing of weights, once at import, and quantisation of activation rows, at run time.
#include <math.h>
#include <string.h>

#include "../include/qd8_qc8w_gemm.h"

void inv_qc8w_pack(size_t outputs, size_t depth, const int8_t *weights, size_t panel_stride, uint8_t *panels) {
  const size_t groups = (depth + INV_QC8W_KR - 1) / INV_QC8W_KR;
  for (size_t first = 0; first < outputs; first += INV_QC8W_NR, panels += panel_stride)
    for (size_t g = 0; g < groups; g++)
      for (size_t c = 0; c < INV_QC8W_NR; c++)
        for (size_t i = 0; i < INV_QC8W_KR; i++) {
          const size_t output = first + c, k = g * INV_QC8W_KR + i;
          const int weight = output < outputs && k < depth ? weights[output * depth + k] : 0;
          panels[(g * INV_QC8W_NR + c) * INV_QC8W_KR + i] = (uint8_t)(weight + 128);
        }
}

void inv_qd8_quantise_rows(size_t rows, size_t depth, const float *x, size_t stride, int8_t *q,
                           struct inv_qd8_row *scales) {
  for (size_t r = 0; r < rows; r++, x += depth, q += stride) {
    float largest = 0;
    for (size_t k = 0; k < depth; k++) {
      const float magnitude = fabsf(x[k]);
      largest = magnitude > largest ? magnitude : largest;
    }
    const float inverse = largest > 0 ? 127.0f / largest : 0;
    int32_t sum = 0;
    for (size_t k = 0; k < depth; k++) {
      // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even.
      const float shifted = x[k] * inverse + 12582912.0f;
      int32_t bits;
      memcpy(&bits, &shifted, sizeof bits);
      q[k] = (int8_t)bits;
      sum += q[k];
    }
    memset(q + depth, 0, stride - depth);
    scales[r] = (struct inv_qd8_row){.scale = largest / 127.0f, .sum = sum};
  }
}
