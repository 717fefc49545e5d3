// The microkernels that a machine can run, best first.
#include "layout.h"

#define INV_UKERNEL(kind, precision, tile, queries, isa) \
  void inv_##kind##_attention_ukernel_##tile##__##isa(const struct inv_attention *, size_t, size_t, void *);
#include "ukernels.inc"
#undef INV_UKERNEL

const struct inv_attention_ukernel *inv_attention_at(size_t index) {
  static const struct inv_attention_ukernel all[] = {
#define INV_UKERNEL(kind, precision, tile, queries, isa)                                                    \
  {#kind "_" #tile "__" #isa, INV_ISA_##isa, precision, inv_##kind##_attention_ukernel_##tile##__##isa, queries},
#include "ukernels.inc"
#undef INV_UKERNEL
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (inv_isa_runs_here(all[i].isa) && index-- == 0) return &all[i];
  return NULL;
}

size_t inv_attention_scratch_bytes(const struct inv_attention_ukernel *kernel, size_t width) {
  // Of each query: its channels, its sums of values, and its scores of a tile of keys.
  return kernel->queries * (2 * inv_rounded_up(width, INV_ATTENTION_BLOCK) + INV_ATTENTION_KEYS) * sizeof(float);
}
