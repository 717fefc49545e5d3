// 2^x in vectors of 16, with a relative error of 1e-4: enough for powers that become bf16 or int16. The includer has
// AVX-512 as its instruction set.
#pragma once
#include <immintrin.h>

/// x = n + r with 0 <= r < 1, a polynomial of r, times 2^n, which saturates.
static inline __m512 short_exp2_avx512(__m512 x) {
  const __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF);
  __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(0.07802452f), _mm512_set1_ps(0.22606716f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.69583356f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.99992520f));
  return _mm512_scalef_ps(p, x);
}
