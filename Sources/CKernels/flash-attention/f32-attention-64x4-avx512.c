// 64 queries: 16 accumulators of 16 lanes.
#if defined(__x86_64__)
#include <immintrin.h>

#define INV_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#pragma clang attribute push(__attribute__((INV_TARGET)), apply_to = function)
#define LANES 16
#define VECTORS 4
#define BF16 0
#define EXP2(x) ((vector)exp2_avx512((__m512)(x)))

/// x = n + r with |r| <= 1/2, a polynomial of r, times 2^n, which saturates.
static inline __m512 exp2_avx512(__m512 x) {
  const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT), r = _mm512_sub_ps(x, n);
  __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(1.3276472e-3f), _mm512_set1_ps(9.6755405e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.5507131e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.4022120e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.9314694e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0000001f));
  return _mm512_scalef_ps(p, n);
}

#include "gradient.h"

void inv_f32_attention_ukernel_64x4__avx512(const struct inv_attention *a, size_t first, size_t count, void *scratch) {
  attention_tile(a, first, count, scratch);
}

void inv_f32_attention_gradient_ukernel_64x4__avx512(const struct inv_attention_gradient *a, void *scratch) {
  attention_gradient(a, scratch);
}
#pragma clang attribute pop
#endif
