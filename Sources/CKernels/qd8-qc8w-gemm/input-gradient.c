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
typedef uint32_t words __attribute__((vector_size(BLOCK)));

/// The first, or the last, eight bytes of a and b in turns.
#define FIRST(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define LAST(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

/// Two blocks of four outputs of four inputs each, as they lie in a forward panel, to four inputs of four outputs.
static inline void transpose_blocks(const uint8_t *from, bytes to[2]) {
  bytes a, b;
  memcpy(&a, from, sizeof a);
  memcpy(&b, from + BLOCK, sizeof b);
  const bytes rows01 = FIRST(a, b), rows23 = LAST(a, b);
  const bytes even = FIRST(rows01, rows23), odd = LAST(rows01, rows23);
  const words inputs01 = (words)FIRST(even, odd), inputs23 = (words)LAST(even, odd);
  to[0] = (bytes)__builtin_shufflevector(inputs01, inputs23, 0, 2, 4, 6);
  to[1] = (bytes)__builtin_shufflevector(inputs01, inputs23, 1, 3, 5, 7);
}

/// Forward panels (outputs / 32)(tap)(inputs / 4)(32 outputs)(4 inputs) to one of (tap)(outputs / 4)(32 inputs)
/// (4 outputs). Inputs past the last are zero weights.
static void transpose(const struct inv_qd8_input_gradient *g, size_t panel, uint8_t *to) {
  const size_t depth = round_up(g->window.channels, KR), outputs = round_up(g->outputs, KR), row = NR * KR;
  for (size_t tap = 0; tap < taps(g); tap++)
    for (size_t output = 0; output < outputs; output += 2 * KR, to += 2 * row) {
      const int two = output + KR < outputs;
      for (size_t group = 0; group < NR / KR; group++) {
        const size_t input = panel * NR + group * KR;
        bytes blocks[2] = {(bytes){} + 128, (bytes){} + 128};
        if (input < depth) {
          const uint8_t *from = g->panels + output / NR * g->panel_stride + tap * depth * NR;
          from += (input / KR * NR + output % NR) * KR;
          // The next panel's bytes: runs of a kilobyte are too short for the processor to see where they lead.
          if (output % (4 * KR) == 0) __builtin_prefetch(from + g->panel_stride);
          transpose_blocks(from, blocks);
        }
        memcpy(to + group * BLOCK, &blocks[0], BLOCK);
        if (two) memcpy(to + row + group * BLOCK, &blocks[1], BLOCK);
      }
      if (!two) to -= row;
    }
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
  for (size_t r = 0; r < mr; r++) {
    const size_t row = first + (r < rows ? r : rows - 1);
    if (is_linear) {
      out->elements[r] = g->dy.elements + row * g->dy.stride;
      out->scales[r] = g->dy.scales + row;
      continue;
    }
    const size_t pixel = row % pixels, base = row / pixels * positions, y = pixel / w->width, x = pixel % w->width;
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
        .residual = g->residual ? g->residual + row * inputs + panel * NR : 0,
        .stride = inputs,
    };
    g->kernel->run(&tile);
  }
}
