// Conversions with NEON, which every arm64 processor has.
#if defined(__aarch64__)
#define ISA neon
#define HAS_F16 1
#include "loops.h"
#endif
