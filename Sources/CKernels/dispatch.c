// Which table serves which machine: best first, detected once by the caller.
#define _GNU_SOURCE
#include <sched.h>

#include "ckernels.h"
#include "quantise.h"

extern const struct inv_kernels inv_f32_table__scalar, inv_f64_table__scalar;
#if defined(__x86_64__)
extern const struct inv_kernels inv_f32_table__avx2, inv_f32_table__avx512;
#endif
extern const struct inv_quantise_kernels inv_quantise_table__scalar;
#if defined(__x86_64__)
extern const struct inv_quantise_kernels inv_quantise_table__avx2, inv_quantise_table__avx512;
#endif

int inv_processor_count(void) {
  cpu_set_t mask;
  return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
}

enum inv_isa inv_isa_detect(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return INV_ISA_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return INV_ISA_AVX2;
#endif
  return INV_ISA_SCALAR;
}

const struct inv_kernels *inv_kernels_f32(enum inv_isa isa) {
#if defined(__x86_64__)
  if (isa >= INV_ISA_AVX512) return &inv_f32_table__avx512;
  if (isa >= INV_ISA_AVX2) return &inv_f32_table__avx2;
#endif
  return &inv_f32_table__scalar;
}

const char *inv_kernel_name(size_t index) {
  static const char *const names[] = {
#define INV_KERNEL(name, arguments) #name,
#include "kernels.inc"
#undef INV_KERNEL
  };
  return index < sizeof names / sizeof names[0] ? names[index] : NULL;
}

const struct inv_kernels *inv_kernels_f64(void) { return &inv_f64_table__scalar; }

const struct inv_quantise_kernels *inv_quantise_kernels_at(enum inv_isa isa) {
#if defined(__x86_64__)
  if (isa >= INV_ISA_AVX512) return &inv_quantise_table__avx512;
  if (isa >= INV_ISA_AVX2) return &inv_quantise_table__avx2;
#endif
  return &inv_quantise_table__scalar;
}

const char *inv_quantise_kernel_name(size_t index) {
  static const char *const names[] = {
#define INV_KERNEL(name, arguments) #name,
#include "quantise.inc"
#undef INV_KERNEL
  };
  return index < sizeof names / sizeof names[0] ? names[index] : NULL;
}
