// Cortex-A55/A76 and later (Raspberry Pi 5). The dot product is signed on both sides, so weights lose their offset at
// the load and rows need no correction by their sums.
#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include <arm_neon.h>

#include "epilogue.h"

enum { MR = 3, NV = 8 };

void inv_qd8_qc8w_gemm_ukernel_3x32c4__neondot(const struct inv_qd8_tile *t) {
  check_tile(t, MR);
  float sums[MR * INV_QC8W_NR];
  const uint8_t *w = t->panel;
  for (size_t s = 0; s < t->segments; s++) {
    const int8_t *const *a = t->elements + s * MR;
    int32x4_t acc[MR][NV];
    for (int r = 0; r < MR; r++)
      for (int v = 0; v < NV; v++) acc[r][v] = vdupq_n_s32(0);
    for (size_t k = 0; k < t->depths[s]; k += INV_QC8W_KR, w += INV_QC8W_NR * INV_QC8W_KR) {
      int8x16_t four[MR];
      for (int r = 0; r < MR; r++) four[r] = vreinterpretq_s8_s32(vdupq_n_s32(load_four(a[r] + k)));
      for (int v = 0; v < NV; v++) {
        const int8x16_t weights = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(w + v * 16), vdupq_n_u8(0x80)));
        for (int r = 0; r < MR; r++) acc[r][v] = vdotq_s32(acc[r][v], weights, four[r]);
      }
    }
    for (int r = 0; r < MR; r++)
      for (int v = 0; v < NV; v++) {
        float *sum = sums + r * INV_QC8W_NR + v * 4;
        const float32x4_t product = vmulq_n_f32(vcvtq_f32_s32(acc[r][v]), t->scales[s * MR + r]->scale);
        vst1q_f32(sum, s == 0 ? product : vaddq_f32(vld1q_f32(sum), product));
      }
  }
  write_tile(t, sums);
}
#pragma clang attribute pop
#endif
