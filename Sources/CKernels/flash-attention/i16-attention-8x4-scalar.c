// The twin of the int16 microkernels that runs everywhere; nowhere is it faster than f32.
#define LANES 4
#define VECTORS 2
#define BF16 0
#define DOT16(acc, a, b) ((acc) + ((a) << 16 >> 16) * ((b) << 16 >> 16) + ((a) >> 16) * ((b) >> 16))
#include "integer-gradient.h"

void inv_i16_attention_ukernel_8x4__scalar(const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  integer_attention_tile(a, first, count, scratch);
}

void inv_i16_attention_gradient_ukernel_8x4__scalar(const struct inv_attention_gradient *a, void *scratch) {
  integer_attention_gradient(a, scratch);
}
