// int8 matrix products: activations quantised per row at run time (qd8), weights per output channel (qc8w).
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ckernels.h"

/// Columns of a weight panel, the same for every instruction set, so that one packing serves them all.
#define INV_QC8W_NR 32
/// Consecutive elements of K that one column keeps together: what a dot-product instruction reads at once.
#define INV_QC8W_KR 4
/// No microkernel takes more rows than this.
#define INV_QD8_MR_MAX 12

/// What turns a quantised row back into numbers: x = scale * q. `sum` is that of the q, and takes back the 128 by which
/// packed weights are offset.
struct inv_qd8_row {
  float scale;
  int32_t sum;
};

/// Memory to be read ahead, `step` bytes for each INV_QC8W_KR elements of K that are multiplied meanwhile.
struct inv_ahead {
  const uint8_t *_Nullable from;
  size_t step;
};

/// One tile of a product: `rows` x up to 32 columns, a sum over segments. A linear layer has one segment, a 3x3
/// convolution nine (one a tap, by indirection), a concatenation one a part; each has rows and scales of its own.
struct inv_qd8_tile {
  /// At most the microkernel's MR, and at most INV_QC8W_NR.
  size_t rows, columns;
  size_t segments;
  /// Of each segment: elements of K, a multiple of INV_QC8W_KR.
  const size_t *_Nonnull depths;
  /// [segment][MR]: where each row's elements start, and its scale. Rows past `rows` repeat a valid one.
  const int8_t *_Nonnull const *_Nonnull elements;
  const struct inv_qd8_row *_Nonnull const *_Nonnull scales;
  /// The panel: of each segment (depth / 4, 32, 4) bytes, the weight plus 128.
  const uint8_t *_Nonnull panel;
  /// (columns): the weights' scales, and the bias or NULL.
  const float *_Nonnull column_scales;
  const float *_Nullable bias;
  /// (rows, columns) with a row stride in elements.
  float *_Nonnull output;
  size_t stride;
  /// A hint: weights and rows that will be needed next, which a microkernel may bring into the second-level cache.
  struct inv_ahead weights_ahead, rows_ahead;
  /// Also added, or NULL: [MR], a vector (columns) for each row; and rows that lie as the output does.
  const float *_Nonnull const *_Nullable row_vectors;
  const float *_Nullable residual;
};

typedef void (*inv_qd8_qc8w_gemm_ukernel)(const struct inv_qd8_tile *_Nonnull tile);

/// A microkernel and the machine it needs.
struct inv_qd8_qc8w_gemm {
  const char *_Nonnull name;
  enum inv_isa isa;
  inv_qd8_qc8w_gemm_ukernel _Nonnull run;
  size_t mr;
};

/// The microkernels that this machine can run, best first; NULL past the last, which is the scalar one.
const struct inv_qd8_qc8w_gemm *_Nullable inv_qd8_qc8w_gemm_at(size_t index);

/// Packs (outputs, depth) row-major weights into panels: (ceil(outputs / 32), depth / 4, 32, 4) bytes of weight + 128;
/// columns past `outputs` and elements past `depth` are zero weights. `depth` is rounded up to a multiple of 4.
void inv_qc8w_pack(size_t outputs, size_t depth, const int8_t *_Nonnull weights, size_t panel_stride,
                   uint8_t *_Nonnull panels);

/// Rows of int8, `stride` bytes apart, with their scales. Channels past the last are zero up to `stride`.
struct inv_qd8_rows {
  const int8_t *_Nonnull elements;
  const struct inv_qd8_row *_Nonnull scales;
  size_t stride;
};

/// Most parts whose channels are put side by side, and most segments: taps times parts.
#define INV_QD8_PARTS_MAX 2
#define INV_QD8_SEGMENTS_MAX 49

/// y = value * gelu(gate) of `rows` rows of value | gate, `channels` each: the kernel that a gated product ends with.
typedef void (*inv_gate)(size_t rows, size_t channels, const void *_Nonnull x, void *_Nonnull y);

/// A whole product: a linear layer, or a convolution by a window over pictures of quantised rows.
struct inv_qd8_product {
  const struct inv_qd8_qc8w_gemm *_Nonnull kernel;
  /// Of one picture. A linear layer is a 1x1 window over a picture one pixel wide. `channels` counts without padding.
  struct inv_window window;
  /// (pictures * height * width) rows. With two parts each has rows and scales of its own.
  size_t parts;
  struct inv_qd8_rows part[INV_QD8_PARTS_MAX];
  /// Not 0: the window slides over the pictures doubled in height and width by repeating pixels; its own height and
  /// width are the doubled ones.
  int doubled;
  /// At least as many zero bytes as the longest `stride`: what a window sees outside the picture.
  const int8_t *_Nonnull zeros;
  /// (ceil(outputs / 32)) panels of taps * parts segments, `panel_stride` bytes apart.
  const uint8_t *_Nonnull panels;
  size_t panel_stride;
  size_t outputs;
  const float *_Nonnull column_scales;
  const float *_Nullable bias;
  /// A vector (outputs) for each picture, added to its rows; and rows like the output, added to it.
  const float *_Nullable row_vectors;
  const float *_Nullable residual;
  /// Where the first half of the outputs is a value and the second its gate, what joins them; outputs is then a
  /// multiple of 64, panels count through the values, and row_vectors and residual are NULL.
  inv_gate _Nullable gate;
  /// (pictures * out_height * out_width, outputs, or half of it when gated)
  float *_Nonnull output;
};

/// The way back through a product: dx = sum over taps of dy W, with the weights' scales already in dy.
struct inv_qd8_input_gradient {
  const struct inv_qd8_qc8w_gemm *_Nonnull kernel;
  /// The forward product's. `channels` are the inputs.
  struct inv_window window;
  size_t outputs;
  /// dy * scale of the output, (pictures * out_height * out_width) rows of `outputs`.
  struct inv_qd8_rows dy;
  const int8_t *_Nonnull zeros;
  /// The forward product's panels.
  const uint8_t *_Nonnull panels;
  size_t panel_stride;
  /// (pictures * height * width, channels); and rows like it that are added, or NULL.
  float *_Nonnull dx;
  const float *_Nullable residual;
};

/// Bytes of a transposed panel: 32 inputs of all taps and outputs.
size_t inv_qd8_transposed_bytes(const struct inv_qd8_input_gradient *_Nonnull gradient);

/// Computes rows `first_row..<last_row` of dx for the 32 inputs of panel `panel`, with room for a transposed panel.
void inv_qd8_qc8w_input_gradient(const struct inv_qd8_input_gradient *_Nonnull gradient, size_t first_row,
                                 size_t last_row, size_t panel, uint8_t *_Nonnull transposed);

/// Computes output rows `first_row..<last_row` of panels `first_panel..<last_panel`.
void inv_qd8_qc8w_product(const struct inv_qd8_product *_Nonnull product, size_t first_row, size_t last_row,
                          size_t first_panel, size_t last_panel);
