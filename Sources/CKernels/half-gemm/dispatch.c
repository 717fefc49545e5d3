// The microkernels that a machine can run, best first.
#include "../include/half_gemm.h"

#define INV_UKERNEL(tile, nr, isa) \
  void inv_half_gemm_ukernel_##tile##__##isa(const struct inv_half_product *, size_t, size_t, float *);
#include "ukernels.inc"
#undef INV_UKERNEL

const struct inv_half_gemm *inv_half_gemm_at(size_t index) {
  static const struct inv_half_gemm all[] = {
#define INV_UKERNEL(tile, nr, isa) {#tile "__" #isa, INV_ISA_##isa, inv_half_gemm_ukernel_##tile##__##isa, nr},
#include "ukernels.inc"
#undef INV_UKERNEL
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (inv_isa_runs_here(all[i].isa) && index-- == 0) return &all[i];
  return NULL;
}
