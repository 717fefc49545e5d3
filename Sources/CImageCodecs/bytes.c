#include "common.h"

#include <stdlib.h>

void inv_bytes_free(inv_bytes *bytes) {
  free(bytes->data);
  bytes->data = NULL;
  bytes->count = 0;
}
