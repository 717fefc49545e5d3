// What the machine can run, and which table serves it.
#define _GNU_SOURCE
#include <sched.h>
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

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

const char *inv_isa_name(size_t isa) {
  static const char *const names[] = {
#define INV_ISA(name) #name,
#include "isas.inc"
#undef INV_ISA
  };
  return isa < sizeof names / sizeof names[0] ? names[isa] : NULL;
}

#if defined(__x86_64__)
static int has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static int has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
#endif

int inv_isa_runs_here(enum inv_isa isa) {
  switch (isa) {
    case INV_ISA_scalar: return 1;
#if defined(__x86_64__)
    case INV_ISA_avx2: return has_avx2();
    case INV_ISA_avxvnni: return has_avx2() && __builtin_cpu_supports("avxvnni");
    case INV_ISA_avx512: return has_avx512();
    case INV_ISA_avx512vnni: return has_avx512() && __builtin_cpu_supports("avx512vnni");
    case INV_ISA_avx512bf16: return has_avx512() && __builtin_cpu_supports("avx512bf16");
#elif defined(__aarch64__) && defined(__linux__)
    case INV_ISA_neon: return 1;
    case INV_ISA_neondot: return (getauxval(AT_HWCAP) & 1UL << 20) != 0;    // HWCAP_ASIMDDP
    case INV_ISA_neonbf16: return (getauxval(AT_HWCAP2) & 1UL << 14) != 0;  // HWCAP2_BF16
    case INV_ISA_neoni8mm: return (getauxval(AT_HWCAP2) & 1UL << 13) != 0;  // HWCAP2_I8MM
#endif
    default: return 0;
  }
}

const struct inv_kernels *inv_kernels_f32(enum inv_isa isa) {
#if defined(__x86_64__)
  if (isa >= INV_ISA_avx512) return &inv_f32_table__avx512;
  if (isa >= INV_ISA_avx2) return &inv_f32_table__avx2;
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
  if (isa >= INV_ISA_avx512) return &inv_quantise_table__avx512;
  if (isa >= INV_ISA_avx2) return &inv_quantise_table__avx2;
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
