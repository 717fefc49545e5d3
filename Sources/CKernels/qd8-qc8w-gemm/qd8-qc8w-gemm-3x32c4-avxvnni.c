// Client processors with the 256-bit dot product (Alder Lake and later).
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#define DOT(acc, weights, four) _mm256_dpbusd_avx_epi32(acc, weights, four)
#include "tile-256bit.h"

void inv_qd8_qc8w_gemm_ukernel_3x32c4__avxvnni(const struct inv_qd8_tile *t) { tile_256bit(t); }
#pragma clang attribute pop
#endif
