#define _GNU_SOURCE
#include "openblas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// Of cblas.h.
enum { ROW_MAJOR = 101, AS_IT_LIES = 111, TRANSPOSED = 112 };

static void (*sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
static void (*dgemm)(int, int, int, int, int, int, double, const double *, int, const double *, int, double, double *,
                     int);

/// Debian 12's OpenBLAS knows Intel's processors by their numbers, and takes those that came later for one of 2004,
/// four times slower. It reads the name of its kernels when it is loaded.
///
/// The first variable that is added to an environment leaves the old list in place for who reads it meanwhile. Before
/// `main` it would hide the arguments from Swift, which finds them beside that list.
static void name_kernels(void) {
#if defined(__x86_64__)
  if (!__builtin_cpu_is("intel") || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
  const int has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  setenv("OPENBLAS_CORETYPE", has_avx512 ? "SkylakeX" : "Haswell", 0);
#endif
}

static void load(void) {
  name_kernels();
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  void (*set_threads)(int) = NULL;
  if (library) {
    *(void **)&sgemm = dlsym(library, "cblas_sgemm");
    *(void **)&dgemm = dlsym(library, "cblas_dgemm");
    *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
  }
  if (!sgemm || !dgemm || !set_threads) {
    fprintf(stderr, "error: OpenBLAS cannot be loaded: %s; install the package 'libopenblas0'\n", dlerror());
    exit(66);
  }
  // Its threads would compete with those that cut the work here.
  set_threads(1);
}

static void load_once(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
}

static int order_of(int turn) { return turn ? TRANSPOSED : AS_IT_LIES; }

void inv_openblas_sgemm(int turn_a, int turn_b, int m, int n, int k, float alpha, const float *a, int a_stride,
                        const float *b, int b_stride, float beta, float *c, int c_stride) {
  load_once();
  sgemm(ROW_MAJOR, order_of(turn_a), order_of(turn_b), m, n, k, alpha, a, a_stride, b, b_stride, beta, c, c_stride);
}

void inv_openblas_dgemm(int turn_a, int turn_b, int m, int n, int k, double alpha, const double *a, int a_stride,
                        const double *b, int b_stride, double beta, double *c, int c_stride) {
  load_once();
  dgemm(ROW_MAJOR, order_of(turn_a), order_of(turn_b), m, n, k, alpha, a, a_stride, b, b_stride, beta, c, c_stride);
}
