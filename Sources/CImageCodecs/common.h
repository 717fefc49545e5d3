#pragma once
#include "inv_image_codecs.h"

#include <stdio.h>

static inline bool inv_fail(inv_error *error, const char *reason) {
  snprintf(error->text, sizeof error->text, "%s", reason);
  return false;
}
