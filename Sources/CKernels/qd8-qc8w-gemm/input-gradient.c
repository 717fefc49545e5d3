// The way back through a product: the forward weights are transposed a panel at a time, in cache, so that there is no
// second copy of the model; then the same microkernels multiply.
#include <assert.h>
#include <string.h>

#include "../include/qd8_qc8w_gemm.h"

enum { NR = INV_QC8W_NR, KR = INV_QC8W_KR, BLOCK = KR * KR };

static const struct inv_qd8_row zero_row = {0, 0};

static size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

static size_t taps(const struct inv_qd8_input_gradient *g) { return g->window.kernel * g->window.kernel; }

size_t inv_qd8_transposed_bytes(const struct inv_qd8_input_gradient *g) {
  return taps(g) * round_up(g->outputs, KR) * NR;
}

/// Four outputs of four inputs each, as they lie side by side in a forward panel, to four inputs of four outputs.
static inline void transpose_block(const uint8_t *from, uint8_t *to) {
  typedef uint8_t block __attribute__((vector_size(BLOCK)));
  block rows;
  memcpy(&rows, from, sizeof rows);
  rows = __builtin_shufflevector(rows, rows, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  memcpy(to, &rows, sizeof rows);
}

/// Forward panels (outputs / 32)(tap)(inputs / 4)(32 outputs)(4 inputs) to one of (tap)(outputs / 4)(32 inputs)
/// (4 outputs). Inputs past the last are zero weights.
static void transpose(const struct inv_qd8_input_gradient *g, size_t panel, uint8_t *to) {
  const size_t depth = round_up(g->window.channels, KR), groups = NR / KR;
  for (size_t tap = 0; tap < taps(g); tap++)
    for (size_t output = 0; output < round_up(g->outputs, KR); output += KR)
      for (size_t group = 0; group < groups; group++, to += BLOCK) {
        const size_t input = panel * NR + group * KR;
        if (input >= depth) {
          memset(to, 128, BLOCK);
          continue;
        }
        const uint8_t *from = g->panels + output / NR * g->panel_stride + tap * depth * NR;
        transpose_block(from + (input / KR * NR + output % NR) * KR, to);
      }
}

struct pointers {
  const int8_t *elements[INV_QD8_SEGMENTS_MAX * INV_QD8_MR_MAX];
  const struct inv_qd8_row *scales[INV_QD8_SEGMENTS_MAX * INV_QD8_MR_MAX];
};

/// Which output position saw each of `rows` input rows from `first` on through each tap, if any did.
static void point(const struct inv_qd8_input_gradient *g, size_t first, size_t rows, struct pointers *out) {
  const struct inv_window *w = &g->window;
  const size_t mr = g->kernel->mr, pixels = w->height * w->width, positions = w->out_height * w->out_width;
  for (size_t r = 0; r < mr; r++) {
    const size_t row = first + (r < rows ? r : rows - 1), pixel = row % pixels, base = row / pixels * positions;
    for (size_t ky = 0, tap = 0; ky < w->kernel; ky++)
      for (size_t kx = 0; kx < w->kernel; kx++, tap++) {
        // Unsigned wrap-around makes "above the picture" and "left of it" large.
        const size_t y = pixel / w->width + w->padding - ky, x = pixel % w->width + w->padding - kx;
        const int seen = y % w->stride == 0 && x % w->stride == 0 && y / w->stride < w->out_height &&
                         x / w->stride < w->out_width;
        const size_t source = base + y / w->stride * w->out_width + x / w->stride;
        out->elements[tap * mr + r] = seen ? g->dy.elements + source * g->dy.stride : g->zeros;
        out->scales[tap * mr + r] = seen ? g->dy.scales + source : &zero_row;
      }
  }
}

void inv_qd8_qc8w_input_gradient(const struct inv_qd8_input_gradient *g, size_t first_row, size_t last_row,
                                 size_t panel, uint8_t *transposed) {
  const size_t segments = taps(g), mr = g->kernel->mr, inputs = g->window.channels, left = inputs - panel * NR;
  size_t depths[INV_QD8_SEGMENTS_MAX];
  float ones[NR];
  struct pointers pointers;
  assert(segments <= INV_QD8_SEGMENTS_MAX && mr <= INV_QD8_MR_MAX && g->dy.stride == round_up(g->outputs, KR));
  for (size_t s = 0; s < segments; s++) depths[s] = g->dy.stride;
  for (size_t c = 0; c < NR; c++) ones[c] = 1;
  transpose(g, panel, transposed);
  for (size_t row = first_row; row < last_row; row += mr) {
    const size_t rows = last_row - row < mr ? last_row - row : mr;
    point(g, row, rows, &pointers);
    const struct inv_qd8_tile tile = {
        .rows = rows,
        .columns = left < NR ? left : NR,
        .segments = segments,
        .depths = depths,
        .elements = pointers.elements,
        .scales = pointers.scales,
        .panel = transposed,
        .column_scales = ones,
        .output = g->dx + row * inputs + panel * NR,
        .stride = inputs,
    };
    g->kernel->run(&tile);
  }
}
