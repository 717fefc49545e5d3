// The twin that runs everywhere: 4 rows x 8 columns, in whatever the compiler makes of vectors of 4 lanes.
#define LANES 4
#define MR 4
#define NV 2
#define HAS_F16 0
#include "tile.h"

void inv_half_gemm_ukernel_4x8__scalar(const struct inv_half_product *p, size_t first, size_t count, float *scratch) {
  half_gemm(p, first, count, scratch);
}
