// The microkernels that a machine can run, best first.
#include "layout.h"

#define INV_UKERNEL(kind, precision, tile, queries, isa) \
  void inv_##kind##_attention_ukernel_##tile##__##isa(const struct inv_attention *, size_t, size_t, void *); \
  void inv_##kind##_attention_gradient_ukernel_##tile##__##isa(const struct inv_attention_gradient *, void *);
#include "ukernels.inc"
#undef INV_UKERNEL

const struct inv_attention_ukernel *inv_attention_at(size_t index) {
  static const struct inv_attention_ukernel all[] = {
#define INV_UKERNEL(kind, precision, tile, queries, isa)                                                    \
  {#kind "_" #tile "__" #isa,                                                                                \
   INV_ISA_##isa,                                                                                            \
   precision,                                                                                                \
   inv_##kind##_attention_ukernel_##tile##__##isa,                                                           \
   inv_##kind##_attention_gradient_ukernel_##tile##__##isa,                                                  \
   queries},
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

/// The start of the next `count` floats, on a cache line of its own.
static size_t take(size_t *next, size_t count) {
  const size_t start = *next, line = 16;
  *next += inv_rounded_up(count, line);
  return start;
}

struct inv_gradient_layout inv_gradient_layout(enum inv_attention_precision precision, size_t tile, size_t queries,
                                               size_t width) {
  const size_t widest_vector = 16, pair = inv_attention_pair(precision);
  const size_t rows = inv_rounded_up(queries, INV_ATTENTION_BLOCK);
  const size_t channels = inv_rounded_up(width, INV_ATTENTION_BLOCK), across = inv_rounded_up(width, widest_vector);
  const size_t packed = inv_attention_packed_bytes(precision, queries, width) / sizeof(float);
  const size_t units = INV_ATTENTION_KEYS * tile / pair;
  const size_t scores = precision == INV_ATTENTION_BF16 ? units : INV_ATTENTION_KEYS * tile;
  struct inv_gradient_layout layout = {};
  size_t *next = &layout.total;
  layout.q_dy = take(next, packed);
  layout.dy_q = take(next, packed);
  layout.log_sums = take(next, rows);
  layout.dy_y = take(next, rows);
  layout.dq = take(next, rows * across);
  layout.k = take(next, channels * tile);
  layout.v = take(next, channels * tile);
  layout.k_rows = take(next, across * tile / pair);
  layout.dk = take(next, channels * tile);
  layout.dv = take(next, channels * tile);
  layout.p = take(next, scores);
  layout.ds = take(next, scores);
  // In f32 a unit is one key, and both forms are one.
  layout.ds_rows = pair == 1 ? layout.ds : take(next, units);
  return layout;
}

size_t inv_attention_gradient_scratch_bytes(const struct inv_attention_ukernel *kernel, size_t queries, size_t width) {
  return inv_gradient_layout(kernel->precision, kernel->queries, queries, width).total * sizeof(float);
}
