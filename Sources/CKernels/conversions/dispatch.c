// The conversions that a machine can run, best first.
#include "../include/conversions.h"

#define INV_CONVERSIONS(isa) extern const struct inv_conversions inv_conversions__##isa;
#include "isas.inc"
#undef INV_CONVERSIONS

const struct inv_conversions *inv_conversions_at(size_t index) {
  static const struct inv_conversions *const all[] = {
#define INV_CONVERSIONS(isa) &inv_conversions__##isa,
#include "isas.inc"
#undef INV_CONVERSIONS
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (inv_isa_runs_here(all[i]->isa) && index-- == 0) return all[i];
  return NULL;
}
