// Includes every template for REAL and exports their table as INV_TABLE. Each .c file beside is one instruction set.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "ckernels.h"
// Sums over a row may be reordered: without this, no float reduction is vectorised.
#pragma clang fp reassociate(on) contract(fast)

#include "elementary.h"
#include "activations.h"
#include "norms.h"
#include "rows.h"

const struct inv_kernels INV_TABLE = {
#define INV_KERNEL(name, arguments) .name = name,
#include "kernels.inc"
#undef INV_KERNEL
};
