// f32 kernels for scalar.
#define REAL float
#define INV_TABLE inv_f32_table__scalar
#include "templates/table.h"
