// Conversions on any machine.
#define ISA scalar
#define HAS_F16 0
#include "loops.h"
