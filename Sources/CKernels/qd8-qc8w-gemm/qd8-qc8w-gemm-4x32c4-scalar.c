// The reference: plain C, any machine.
#include "epilogue.h"

enum { MR = 4 };

void inv_qd8_qc8w_gemm_ukernel_4x32c4__scalar(const struct inv_qd8_tile *t) {
  check_tile(t, MR);
  float sums[MR * INV_QC8W_NR] = {0};
  const uint8_t *w = t->panel;
  for (size_t s = 0; s < t->segments; s++) {
    int32_t acc[MR][INV_QC8W_NR];
    for (size_t r = 0; r < MR; r++)
      for (size_t c = 0; c < INV_QC8W_NR; c++) acc[r][c] = -128 * t->scales[s * MR + r]->sum;
    for (size_t k = 0; k < t->depths[s]; k += INV_QC8W_KR, w += INV_QC8W_NR * INV_QC8W_KR)
      for (size_t r = 0; r < MR; r++) {
        const int8_t *a = t->elements[s * MR + r] + k;
        for (size_t c = 0; c < INV_QC8W_NR; c++)
          for (size_t i = 0; i < INV_QC8W_KR; i++) acc[r][c] += a[i] * w[c * INV_QC8W_KR + i];
      }
    for (size_t r = 0; r < MR; r++) {
      const float scale = t->scales[s * MR + r]->scale;
      for (size_t c = 0; c < INV_QC8W_NR; c++) sums[r * INV_QC8W_NR + c] += scale * (float)acc[r][c];
    }
  }
  write_tile(t, sums);
}
