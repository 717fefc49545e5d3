// The microkernels that a machine can run, best first.
#include "../include/qd8_qc8w_gemm.h"

#define INV_UKERNEL(tile, isa) void inv_qd8_qc8w_gemm_ukernel_##tile##__##isa(const struct inv_qd8_tile *);
#include "ukernels.inc"
#undef INV_UKERNEL

const struct inv_qd8_qc8w_gemm *inv_qd8_qc8w_gemm_at(size_t index) {
  static const struct inv_qd8_qc8w_gemm all[] = {
#define INV_UKERNEL(tile, isa) \
  {#tile "__" #isa, INV_ISA_##isa, inv_qd8_qc8w_gemm_ukernel_##tile##__##isa, INV_ROWS(tile)},
#define INV_ROWS(tile) INV_ROWS_##tile
#define INV_ROWS_12x32c4 12
#define INV_ROWS_8x32c4 8
#define INV_ROWS_6x32c4 6
#define INV_ROWS_3x32c4 3
#define INV_ROWS_4x32c4 4
#include "ukernels.inc"
#undef INV_UKERNEL
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (inv_isa_runs_here(all[i].isa) && index-- == 0) return &all[i];
  return NULL;
}
