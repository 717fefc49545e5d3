// The microkernels of the engine. See Sources/CKernels/README.md for how they are named, chosen and tested.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The widest run of channels that one call of group_norm may cover.
#define INV_GROUP_NORM_CHANNELS 4096

/// Instruction sets with kernels of their own.
enum inv_isa {
#define INV_ISA(name) INV_ISA_##name,
#include "isas.inc"
#undef INV_ISA
};

/// The name of an instruction set by its value, or NULL past the last.
const char *_Nullable inv_isa_name(size_t isa);

/// Whether this machine has all that kernels of an instruction set need.
int inv_isa_runs_here(enum inv_isa isa);

/// Processors that this process may run on.
int inv_processor_count(void);

/// Function pointers of one element type on one instruction set.
struct inv_kernels {
#define INV_KERNEL(name, arguments) void(*_Nonnull name) arguments;
#include "kernels.inc"
#undef INV_KERNEL
};

/// The table of an element type; an instruction set that this build lacks gives the scalar one.
const struct inv_kernels *_Nonnull inv_kernels_f32(enum inv_isa isa);
const struct inv_kernels *_Nonnull inv_kernels_f64(void);

/// The kernel's name at `index` of kernels.inc, or NULL past its end: a test sees by it that it covers them all.
const char *_Nullable inv_kernel_name(size_t index);

/// A sliding window over one picture (height, width, channels).
struct inv_window {
  size_t height, width, channels;
  size_t out_height, out_width;
  size_t kernel, stride;
  /// Zero rows above and columns left of the picture; below and right as many as the output needs.
  size_t padding;
};

/// Rows `first..<last` of the patch matrix (out_height * out_width, kernel * kernel * channels); an element has `size`
/// bytes.
void inv_im2col(const struct inv_window *_Nonnull window, size_t size, size_t first, size_t last,
                const void *_Nonnull x, void *_Nonnull rows);
/// The transpose of im2col, by gathering: rows `first..<last` of the picture dx become the sums of the patches that saw
/// them.
void inv_col2im_f32(const struct inv_window *_Nonnull window, size_t first, size_t last, const float *_Nonnull rows,
                    float *_Nonnull dx);
void inv_col2im_f64(const struct inv_window *_Nonnull window, size_t first, size_t last, const double *_Nonnull rows,
                    double *_Nonnull dx);
