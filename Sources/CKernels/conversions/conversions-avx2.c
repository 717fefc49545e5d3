// Conversions with AVX2 and F16C.
#if defined(__x86_64__)
#include <stdint.h>
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#define ISA avx2
#define HAS_F16 1
#include "loops.h"
#pragma clang attribute pop
#endif
