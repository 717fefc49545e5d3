// oneDNN's int8 products (u8 by s8, f32 out) on the shapes of a file: a line "MILLISECONDS" per linear or conv line.
//   cc -O2 onednn.c -ldnnl -o onednn && OMP_NUM_THREADS=2 ./onednn SHAPES [RUNS]
#include <dnnl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t status, const char *what) {
  if (status == dnnl_success) return;
  fprintf(stderr, "onednn: %s: status %d\n", what, status);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static dnnl_memory_desc_t any(int count, const dnnl_dims_t dims, dnnl_data_type_t type) {
  dnnl_memory_desc_t desc;
  must(dnnl_memory_desc_init_by_tag(&desc, count, dims, type, dnnl_format_tag_any), "a memory description");
  return desc;
}

/// The memory that a primitive wants for one argument, filled with ones.
static dnnl_memory_t memory(const_dnnl_primitive_desc_t primitive, dnnl_query_t what) {
  const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(primitive, what, 0);
  dnnl_memory_t result;
  void *data;
  must(dnnl_memory_create(&result, desc, engine, DNNL_MEMORY_ALLOCATE), "memory");
  must(dnnl_memory_map_data(result, &data), "mapping memory");
  memset(data, 1, dnnl_memory_desc_get_size(desc));
  must(dnnl_memory_unmap_data(result, data), "unmapping memory");
  return result;
}

/// The best of several runs after one, in milliseconds; other work can only slow it down.
static double milliseconds(const void *operation, int runs) {
  dnnl_primitive_desc_t desc;
  dnnl_primitive_t primitive;
  must(dnnl_primitive_desc_create(&desc, operation, NULL, engine, NULL), "a primitive's description");
  must(dnnl_primitive_create(&primitive, desc), "a primitive");
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, memory(desc, dnnl_query_src_md)},
                                       {DNNL_ARG_WEIGHTS, memory(desc, dnnl_query_weights_md)},
                                       {DNNL_ARG_DST, memory(desc, dnnl_query_dst_md)}};
  double best = INFINITY;
  for (int run = 0; run <= runs; run++) {
    const double start = now();
    must(dnnl_primitive_execute(primitive, stream, 3, arguments), "a run");
    must(dnnl_stream_wait(stream), "waiting");
    const double time = now() - start;
    if (run > 0 && time < best) best = time;
  }
  for (int i = 0; i < 3; i++) dnnl_memory_destroy(arguments[i].memory);
  dnnl_primitive_destroy(primitive), dnnl_primitive_desc_destroy(desc);
  return best;
}

static double linear(long m, long n, long k, int runs) {
  const dnnl_memory_desc_t x = any(2, (dnnl_dims_t){m, k}, dnnl_u8), w = any(2, (dnnl_dims_t){k, n}, dnnl_s8);
  const dnnl_memory_desc_t y = any(2, (dnnl_dims_t){m, n}, dnnl_f32);
  dnnl_matmul_desc_t desc;
  must(dnnl_matmul_desc_init(&desc, &x, &w, NULL, &y), "a product");
  return milliseconds(&desc, runs);
}

/// A guided step has two square pictures.
static double convolution(long m, long n, long k, long stride, int runs) {
  const dnnl_dim_t out = lround(sqrt((double)m / 2)), in = out * stride;
  const dnnl_memory_desc_t x = any(4, (dnnl_dims_t){2, k, in, in}, dnnl_u8);
  const dnnl_memory_desc_t w = any(4, (dnnl_dims_t){n, k, 3, 3}, dnnl_s8);
  const dnnl_memory_desc_t y = any(4, (dnnl_dims_t){2, n, out, out}, dnnl_f32);
  const dnnl_dims_t strides = {stride, stride}, before = {1, 1}, after = {stride == 1, stride == 1};
  dnnl_convolution_desc_t desc;
  must(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_auto, &x, &w, NULL, &y,
                                          strides, before, after),
       "a convolution");
  return milliseconds(&desc, runs);
}

int main(int count, char **arguments) {
  FILE *shapes = count > 1 ? fopen(arguments[1], "r") : NULL;
  const int wanted = count > 2 ? atoi(arguments[2]) : 5, runs = wanted < 1 ? 1 : wanted;
  if (!shapes) {
    fprintf(stderr, "usage: onednn SHAPES [RUNS]\n");
    return 64;
  }
  must(dnnl_engine_create(&engine, dnnl_cpu, 0), "an engine");
  must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "a stream");
  char line[256], kind[32];
  long m, n, k, taps, stride;
  while (fgets(line, sizeof line, shapes)) {
    if (sscanf(line, "%31s %ld %ld %ld %ld %ld", kind, &m, &n, &k, &taps, &stride) != 6) continue;
    if (strcmp(kind, "linear") != 0 && strcmp(kind, "conv") != 0) continue;
    printf("%.4f\n", taps == 1 ? linear(m, n, k, runs) : convolution(m, n, k, stride, runs));
    fflush(stdout);
  }
  return 0;
}
