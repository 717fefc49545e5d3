// Compares every attention microkernel of the machine with the scalar one, which is the list's last, at tile edges.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "flash_attention.h"

enum { TOKENS = 77, WIDTH = 80 };

static float q[TOKENS * WIDTH], k[TOKENS * WIDTH], v[TOKENS * WIDTH];

static void run(const struct inv_attention_ukernel *kernel, size_t tokens, size_t width, int causal, float *output) {
  void *packed = malloc(inv_attention_packed_bytes(kernel->precision, tokens, width));
  void *scratch = aligned_alloc(64, inv_attention_scratch_bytes(kernel, width));
  inv_attention_pack(kernel->precision, tokens, width, k, WIDTH, v, WIDTH, packed);
  const struct inv_attention attention = {
      .queries = tokens, .keys = tokens, .width = width,         .scale = 0.3f,    .causal = causal,
      .q = q,            .q_stride = WIDTH, .packed = packed, .output = output, .output_stride = WIDTH};
  for (size_t first = 0; first < tokens; first += kernel->queries)
    kernel->run(&attention, first, tokens - first < kernel->queries ? tokens - first : kernel->queries, scratch);
  free(packed), free(scratch);
}

int main(void) {
  for (int i = 0; i < TOKENS * WIDTH; i++) {
    q[i] = (float)(rand() % 2001 - 1000) / 500;
    k[i] = (float)(rand() % 2001 - 1000) / 500;
    v[i] = (float)(rand() % 2001 - 1000) / 1000;
  }
  size_t count = 0;
  while (inv_attention_at(count)) count++;
  const size_t tokens[] = {1, 2, 15, 16, 17, 64, 65, TOKENS}, widths[] = {1, 3, 8, 40, WIDTH};
  int failures = 0;
  for (size_t t = 0; t < sizeof tokens / sizeof tokens[0]; t++)
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++)
      for (int causal = 0; causal < 2; causal++)
        for (size_t i = 0; i + 1 < count; i++) {
          static float reference[TOKENS * WIDTH], output[TOKENS * WIDTH];
          run(inv_attention_at(count - 1), tokens[t], widths[w], causal, reference);
          run(inv_attention_at(i), tokens[t], widths[w], causal, output);
          const float most = inv_attention_at(i)->precision == INV_ATTENTION_BF16 ? 0.03f : 1e-5f;
          for (size_t j = 0; j < tokens[t] * WIDTH; j++)
            if (!(fabsf(output[j] - reference[j]) <= most)) {
              printf("%s, %zu tokens x %zu, causal %d, element %zu: %g instead of %g\n", inv_attention_at(i)->name,
                     tokens[t], widths[w], causal, j, output[j], reference[j]);
              failures++;
            }
        }
  printf("%zu microkernels, %d differences\n", count, failures);
  return failures == 0 && count > 1 ? 0 : 1;
}
