// 6 rows x 16 columns: 24 accumulators of 4 lanes. Every arm64 processor has this.
#if defined(__aarch64__)
#define LANES 4
#define MR 6
#define NV 4
#define HAS_F16 1
#include "tile.h"

void inv_half_gemm_ukernel_6x16__neon(const struct inv_half_product *p, size_t first, size_t count, float *scratch) {
  half_gemm(p, first, count, scratch);
}
#endif
