// What makes int8 rows of f32 rows: quantisation alone and behind the normalisations.
#pragma once
#include "qd8_qc8w_gemm.h"

/// Function pointers of one instruction set.
struct inv_quantise_kernels {
#define INV_KERNEL(name, arguments) void(*_Nonnull name) arguments;
#include "quantise.inc"
#undef INV_KERNEL
};

/// The table of an instruction set; one that this build lacks gives the scalar one.
const struct inv_quantise_kernels *_Nonnull inv_quantise_kernels_at(enum inv_isa isa);

/// The kernel's name at `index` of quantise.inc, or NULL past its end.
const char *_Nullable inv_quantise_kernel_name(size_t index);
