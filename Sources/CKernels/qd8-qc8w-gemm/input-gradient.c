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

typedef uint8_t bytes __attribute__((vector_size(BLOCK)));

/// A block of four outputs of four inputs each, as it lies in a forward panel, to four inputs of four outputs.
static inline bytes turned(bytes block) {
  return __builtin_shufflevector(block, block, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/// `blocks` blocks of outputs of `groups` groups of inputs, from a forward panel's (groups, outputs, 4 inputs) to
/// (blocks, inputs, 4 outputs).
static inline __attribute__((always_inline)) void turn(size_t blocks, size_t groups, const uint8_t *from,
                                                       size_t next_panel, uint8_t *to) {
  const size_t row = NR * KR;
  for (size_t group = 0; group < groups; group++, from += row, to += BLOCK) {
    // The next panel's bytes: a run of a kilobyte is too short for the processor to see where it leads.
    __builtin_prefetch(from + next_panel);
    __builtin_prefetch(from + next_panel + row / 2);
    for (size_t block = 0; block < blocks; block++) {
      bytes x;
      memcpy(&x, from + block * BLOCK, BLOCK);
      x = turned(x);
      memcpy(to + block * row, &x, BLOCK);
    }
  }
}

/// Forward panels (outputs / 32)(tap)(inputs / 4)(32 outputs)(4 inputs) to one of (tap)(outputs / 4)(32 inputs)
/// (4 outputs). Inputs past the last are zero weights.
static inline __attribute__((always_inline)) void transpose(const struct inv_qd8_input_gradient *g, size_t panel,
                                                            uint8_t *to) {
  const size_t depth = round_up(g->window.channels, KR), outputs = round_up(g->outputs, KR), row = NR * KR;
  const size_t inputs = depth - panel * NR, groups = inputs < NR ? inputs / KR : NR / KR;
  if (groups < NR / KR) memset(to, 128, inv_qd8_transposed_bytes(g));
  for (size_t tap = 0; tap < taps(g); tap++)
    for (size_t output = 0; output < outputs; output += NR) {
      const size_t left = outputs - output, blocks = left < NR ? left / KR : NR / KR;
      const uint8_t *from = g->panels + output / NR * g->panel_stride + (tap * depth + panel * NR) * NR;
      if (blocks == NR / KR && groups == NR / KR)
        turn(NR / KR, NR / KR, from, g->panel_stride, to);
      else
        turn(blocks, groups, from, g->panel_stride, to);
      to += blocks * row;
    }
}

#if defined(__x86_64__)
/// With an instruction that turns a block; the baseline takes twice as long.
__attribute__((target("avx2"))) static void transpose_avx2(const struct inv_qd8_input_gradient *g, size_t panel,
                                                           uint8_t *to) {
  transpose(g, panel, to);
}
#endif

static void transpose_panel(const struct inv_qd8_input_gradient *g, size_t panel, uint8_t *to) {
#if defined(__x86_64__)
  if (g->kernel->isa >= INV_ISA_avx2) return transpose_avx2(g, panel, to);
#endif
  transpose(g, panel, to);
}

struct pointers {
  const int8_t *elements[INV_QD8_SEGMENTS_MAX * INV_QD8_MR_MAX];
  const struct inv_qd8_row *scales[INV_QD8_SEGMENTS_MAX * INV_QD8_MR_MAX];
};

/// The output row or column that saw row or column `at` through the window's `tap`, or `count` where none did.
static inline size_t seen_at(size_t at, size_t tap, const struct inv_window *w, size_t count) {
  // Unsigned wrap-around makes "above the picture" and "left of it" large.
  const size_t moved = at + w->padding - tap;
  if (w->stride == 1) return moved < count ? moved : count;
  return moved % w->stride == 0 && moved / w->stride < count ? moved / w->stride : count;
}

/// Which output position saw each of `rows` input rows from `first` on through each tap, if any did.
static void point(const struct inv_qd8_input_gradient *g, size_t first, size_t rows, struct pointers *out) {
  const struct inv_window *w = &g->window;
  const size_t mr = g->kernel->mr, pixels = w->height * w->width, positions = w->out_height * w->out_width;
  const int is_linear = w->kernel == 1 && w->stride == 1 && w->padding == 0;
  // Counted on from row to row: divisions show where a tile is short.
  size_t base = first / pixels * positions, y = first % pixels / w->width, x = first % w->width;
  for (size_t r = 0; r < mr; r++) {
    if (is_linear) {
      const size_t row = first + (r < rows ? r : rows - 1);
      out->elements[r] = g->dy.elements + row * g->dy.stride;
      out->scales[r] = g->dy.scales + row;
      continue;
    }
    size_t columns[INV_QD8_SEGMENTS_MAX];
    for (size_t kx = 0; kx < w->kernel; kx++) columns[kx] = seen_at(x, kx, w, w->out_width);
    for (size_t ky = 0, tap = 0; ky < w->kernel; ky++) {
      const size_t line = seen_at(y, ky, w, w->out_height);
      for (size_t kx = 0; kx < w->kernel; kx++, tap++) {
        const int seen = line < w->out_height && columns[kx] < w->out_width;
        const size_t source = base + line * w->out_width + columns[kx];
        out->elements[tap * mr + r] = seen ? g->dy.elements + source * g->dy.stride : g->zeros;
        out->scales[tap * mr + r] = seen ? g->dy.scales + source : &zero_row;
      }
    }
    if (r + 1 >= rows || ++x < w->width) continue;
    x = 0;
    if (++y == w->height) y = 0, base += positions;
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
  transpose_panel(g, panel, transposed);
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
        .residual = g->residual ? g->residual + row * inputs + panel * NR : 0,
        .stride = inputs,
    };
    g->kernel->run(&tile);
  }
}
