// The twin that runs everywhere: 8 queries, in whatever the compiler makes of vectors of 4 lanes.
#define LANES 4
#define VECTORS 2
#define BF16 0
#include "gradient.h"

void inv_f32_attention_ukernel_8x4__scalar(const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  attention_tile(a, first, count, scratch);
}

void inv_f32_attention_gradient_ukernel_8x4__scalar(const struct inv_attention_gradient *a, void *scratch) {
  attention_gradient(a, scratch);
}
