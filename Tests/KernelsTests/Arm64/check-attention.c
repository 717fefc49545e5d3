// Compares every attention microkernel of the machine and its gradient with the scalar one of f32, at tile edges.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_attention.h"

enum { TOKENS = 150, WIDTH = 80 };

static float q[TOKENS * WIDTH], k[TOKENS * WIDTH], v[TOKENS * WIDTH], dy[TOKENS * WIDTH];

struct results {
  float y[TOKENS * WIDTH], dq[TOKENS * WIDTH], dk[TOKENS * WIDTH], dv[TOKENS * WIDTH];
};

static void run(const struct inv_attention_ukernel *kernel, size_t tokens, size_t width, int causal,
                struct results *results) {
  void *packed = malloc(inv_attention_packed_bytes(kernel->precision, tokens, width));
  void *scratch = aligned_alloc(64, inv_attention_scratch_bytes(kernel, width));
  void *more = aligned_alloc(64, inv_attention_gradient_scratch_bytes(kernel, tokens, width));
  float log_sums[TOKENS];
  inv_attention_pack(kernel->precision, tokens, width, k, WIDTH, v, WIDTH, packed);
  const struct inv_attention attention = {
      .queries = tokens, .keys = tokens, .width = width,   .scale = 0.3f,        .causal = causal,       .q = q,
      .q_stride = WIDTH, .packed = packed, .output = results->y, .output_stride = WIDTH, .log_sums = log_sums};
  for (size_t first = 0; first < tokens; first += kernel->queries)
    kernel->run(&attention, first, tokens - first < kernel->queries ? tokens - first : kernel->queries, scratch);
  const struct inv_attention_gradient gradient = {
      .queries = tokens,    .keys = tokens,       .width = width,       .scale = 0.3f,        .causal = causal,
      .q = q,               .k = k,               .v = v,               .y = results->y,      .dy = dy,
      .q_stride = WIDTH,    .k_stride = WIDTH,    .v_stride = WIDTH,    .y_stride = WIDTH,    .dy_stride = WIDTH,
      .log_sums = log_sums, .dq = results->dq,    .dk = results->dk,    .dv = results->dv,    .dq_stride = WIDTH,
      .dk_stride = WIDTH,   .dv_stride = WIDTH};
  kernel->gradient(&gradient, more);
  free(packed), free(scratch), free(more);
}

/// How many elements of the rows are further apart than `most`.
static int differences(const char *name, const char *part, const float *got, const float *wanted, size_t tokens,
                       size_t width, float most) {
  int failures = 0;
  for (size_t j = 0; j < tokens * WIDTH; j++)
    if (j % WIDTH < width && !(fabsf(got[j] - wanted[j]) <= most)) {
      printf("%s, %s of %zu tokens x %zu, element %zu: %g instead of %g\n", name, part, tokens, width, j, got[j],
             wanted[j]);
      failures++;
    }
  return failures;
}

int main(void) {
  for (int i = 0; i < TOKENS * WIDTH; i++) {
    q[i] = (float)(rand() % 2001 - 1000) / 500;
    k[i] = (float)(rand() % 2001 - 1000) / 500;
    v[i] = (float)(rand() % 2001 - 1000) / 1000;
    dy[i] = (float)(rand() % 2001 - 1000) / 1000;
  }
  size_t count = 0, twin = 0;
  for (; inv_attention_at(count); count++)
    if (strcmp(inv_attention_at(count)->name, "f32_8x4__scalar") == 0) twin = count;
  // By enum inv_attention_precision.
  const float bounds[] = {1e-5f, 0.03f, 0.002f}, gradient_bounds[] = {1e-4f, 0.3f, 0.02f};
  const size_t tokens[] = {1, 2, 15, 16, 17, 64, 65, 77, 128, TOKENS}, widths[] = {1, 3, 8, 40, WIDTH};
  int failures = 0;
  for (size_t t = 0; t < sizeof tokens / sizeof tokens[0]; t++)
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++)
      for (int causal = 0; causal < 2; causal++)
        for (size_t i = 0; i < count; i++) {
          static struct results reference, results;
          run(inv_attention_at(twin), tokens[t], widths[w], causal, &reference);
          run(inv_attention_at(i), tokens[t], widths[w], causal, &results);
          const char *name = inv_attention_at(i)->name;
          const enum inv_attention_precision precision = inv_attention_at(i)->precision;
          const float most = bounds[precision], most_of_gradient = gradient_bounds[precision];
          failures += differences(name, "y", results.y, reference.y, tokens[t], widths[w], most);
          failures += differences(name, "dq", results.dq, reference.dq, tokens[t], widths[w], most_of_gradient);
          failures += differences(name, "dk", results.dk, reference.dk, tokens[t], widths[w], most_of_gradient);
          failures += differences(name, "dv", results.dv, reference.dv, tokens[t], widths[w], most_of_gradient);
        }
  printf("%zu microkernels, %d differences\n", count, failures);
  return failures == 0 && count > 1 ? 0 : 1;
}
