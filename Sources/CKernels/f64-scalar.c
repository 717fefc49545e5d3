// f64 kernels, the reference in which gradients are checked against finite differences.
#define REAL double
#define INV_REAL_IS_DOUBLE 1
#define INV_TABLE inv_f64_table__scalar
#include "templates/table.h"
