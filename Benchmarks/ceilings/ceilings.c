// Sixteen accumulators hide the instructions' latency; the compiler may not see through the empty assembler statement.
#include "ceilings.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { ACCUMULATORS = 16 };

#define REPEAT _Pragma("clang loop unroll(full)") for (int i = 0; i < ACCUMULATORS; i++)

/// A function that makes `rounds` rounds of `step` on vectors and returns the operations of `each` of them.
#define CEILING(name, isa, vector, zero, step, each)                            \
  __attribute__((target(isa), noinline)) static double name(size_t rounds) {    \
    vector acc[ACCUMULATORS];                                                   \
    REPEAT acc[i] = zero;                                                       \
    vector a = zero, b = zero;                                                  \
    for (size_t round = 0; round < rounds; round++) {                           \
      __asm__ volatile("" : "+v"(a), "+v"(b));                                  \
      REPEAT acc[i] = step;                                                     \
    }                                                                           \
    REPEAT __asm__ volatile("" ::"v"(acc[i]));                                  \
    return (double)rounds * ACCUMULATORS * (each);                              \
  }

CEILING(int8_avx512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32(acc[i], a, b), 128)
CEILING(int8_avxvnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), _mm256_dpbusd_avx_epi32(acc[i], a, b), 64)
CEILING(int8_avx2, "avx2", __m256i, _mm256_setzero_si256(),
        _mm256_add_epi32(acc[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), b)), 64)
CEILING(bf16_avx512, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(),
        _mm512_dpbf16_ps(acc[i], (__m512bh)a, (__m512bh)b), 64)
CEILING(int16_avx512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(), _mm512_dpwssd_epi32(acc[i], a, b), 64)
CEILING(int16_avxvnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), _mm256_dpwssd_avx_epi32(acc[i], a, b), 32)
CEILING(f32_avx512, "avx512f", __m512, _mm512_setzero_ps(), _mm512_fmadd_ps(a, b, acc[i]), 32)
CEILING(f32_avx2, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_fmadd_ps(a, b, acc[i]), 16)

double inv_ceiling_int8(size_t rounds) {
  if (__builtin_cpu_supports("avx512vnni")) return int8_avx512(rounds);
  if (__builtin_cpu_supports("avxvnni")) return int8_avxvnni(rounds);
  return __builtin_cpu_supports("avx2") ? int8_avx2(rounds) : 0;
}

double inv_ceiling_pairs(size_t rounds) {
  if (__builtin_cpu_supports("avx512bf16")) return bf16_avx512(rounds);
  if (__builtin_cpu_supports("avx512vnni")) return int16_avx512(rounds);
  return __builtin_cpu_supports("avxvnni") ? int16_avxvnni(rounds) : 0;
}

double inv_ceiling_f32(size_t rounds) {
  if (__builtin_cpu_supports("avx512f")) return f32_avx512(rounds);
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? f32_avx2(rounds) : 0;
}

#else

double inv_ceiling_int8(size_t rounds) { return 0 * (double)rounds; }
double inv_ceiling_pairs(size_t rounds) { return 0 * (double)rounds; }
double inv_ceiling_f32(size_t rounds) { return 0 * (double)rounds; }

#endif
