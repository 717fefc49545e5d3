// int8 rows, scalar.
#include <stdint.h>
#define INV_TABLE inv_quantise_table__scalar
#include "templates/quantise-table.h"
