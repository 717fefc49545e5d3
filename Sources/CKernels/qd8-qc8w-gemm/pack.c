// Packing of weights, once at import.
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
