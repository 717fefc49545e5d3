// 16 queries: 16 accumulators of 4 lanes. Every arm64 processor has this.
#if defined(__aarch64__)
#define LANES 4
#define VECTORS 4
#define BF16 0
#include "gradient.h"

void inv_f32_attention_ukernel_16x4__neon(const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  attention_tile(a, first, count, scratch);
}

void inv_f32_attention_gradient_ukernel_16x4__neon(const struct inv_attention_gradient *a, void *scratch) {
  attention_gradient(a, scratch);
}
#endif
