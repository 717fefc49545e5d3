// The microkernels that a machine can run, best first.
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
#include "../include/qd8_qc8w_gemm.h"

#define INV_UKERNEL(tile, isa) void inv_qd8_qc8w_gemm_ukernel_##tile##__##isa(const struct inv_qd8_tile *);
#include "ukernels.inc"
#undef INV_UKERNEL

static int has_scalar(void) { return 1; }
#if defined(__x86_64__)
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static int has_avxvnni(void) { return has_avx2() && __builtin_cpu_supports("avxvnni"); }
static int has_avx512vnni(void) {
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#elif defined(__aarch64__)
static int has_neondot(void) {
  const unsigned long asimd_dot_product = 1UL << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & asimd_dot_product) != 0;
}
#endif

const struct inv_qd8_qc8w_gemm *inv_qd8_qc8w_gemm_at(size_t index) {
  static const struct {
    struct inv_qd8_qc8w_gemm kernel;
    int (*runs_here)(void);
  } all[] = {
#define INV_UKERNEL(tile, isa) \
  {{#tile "__" #isa, inv_qd8_qc8w_gemm_ukernel_##tile##__##isa, INV_ROWS(tile)}, has_##isa},
#define INV_ROWS(tile) INV_ROWS_##tile
#define INV_ROWS_12x32c4 12
#define INV_ROWS_3x32c4 3
#define INV_ROWS_4x32c4 4
#include "ukernels.inc"
#undef INV_UKERNEL
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i].runs_here() && index-- == 0) return &all[i].kernel;
  return NULL;
}
