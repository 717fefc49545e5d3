// Walks a product's tiles: panels in blocks that stay in the second-level cache, over all rows, MR at a time.
#include <assert.h>

#include "../include/qd8_qc8w_gemm.h"

/// Half of a small second-level cache.
enum { BLOCK_BYTES = 256 * 1024 };

static const struct inv_qd8_row zero_row = {0, 0};

struct pointers {
  const int8_t *elements[INV_QD8_SEGMENTS_MAX * INV_QD8_MR_MAX];
  const struct inv_qd8_row *scales[INV_QD8_SEGMENTS_MAX * INV_QD8_MR_MAX];
};

/// Whether each output row has one input row, in the same order.
static int is_linear(const struct inv_qd8_product *p) {
  const struct inv_window *w = &p->window;
  return w->kernel == 1 && w->stride == 1 && w->padding == 0 && !p->doubled;
}

/// Where each tap of each of `rows` output rows from `first` on finds its input row, in every part.
static void point(const struct inv_qd8_product *p, size_t first, size_t rows, struct pointers *out) {
  const struct inv_window *w = &p->window;
  const size_t mr = p->kernel->mr, positions = w->out_height * w->out_width, halving = p->doubled != 0;
  const size_t pixels = (w->height >> halving) * (w->width >> halving);
  if (is_linear(p)) {
    for (size_t part = 0; part < p->parts; part++)
      for (size_t r = 0; r < mr; r++) {
        const size_t row = first + (r < rows ? r : rows - 1);
        out->elements[part * mr + r] = p->part[part].elements + row * p->part[part].stride;
        out->scales[part * mr + r] = p->part[part].scales + row;
      }
    return;
  }
  // Counted on from row to row: divisions show where a tile is short.
  size_t base = first / positions * pixels, y_out = first % positions / w->out_width, x_out = first % w->out_width;
  for (size_t r = 0; r < mr; r++) {
    const size_t top = y_out * w->stride, left = x_out * w->stride;
    for (size_t ky = 0, segment = 0; ky < w->kernel; ky++)
      for (size_t kx = 0; kx < w->kernel; kx++) {
        // Unsigned wrap-around makes "above the picture" and "left of it" large.
        const size_t y = top + ky - w->padding, x = left + kx - w->padding;
        const int inside = y < w->height && x < w->width;
        const size_t source = base + (y >> halving) * (w->width >> halving) + (x >> halving);
        for (size_t part = 0; part < p->parts; part++, segment++) {
          const struct inv_qd8_rows *from = &p->part[part];
          out->elements[segment * mr + r] = inside ? from->elements + source * from->stride : p->zeros;
          out->scales[segment * mr + r] = inside ? from->scales + source : &zero_row;
        }
      }
    if (r + 1 >= rows || ++x_out < w->out_width) continue;
    x_out = 0;
    if (++y_out == w->out_height) y_out = 0, base += pixels;
  }
}

/// Columns of the output.
static size_t width_of(const struct inv_qd8_product *p) { return p->gate ? p->outputs / 2 : p->outputs; }

/// One tile, into the output or, when gated, through a scratch of value | gate, whose weights are read ahead likewise.
static void run(const struct inv_qd8_product *p, struct inv_qd8_tile *tile, size_t row, size_t panel) {
  const size_t column = panel * INV_QC8W_NR, mr = p->kernel->mr;
  const size_t width = width_of(p), left = width - column;
  const size_t positions = p->window.out_height * p->window.out_width;
  const float *vectors[INV_QD8_MR_MAX];
  float scratch[2 * INV_QD8_MR_MAX * INV_QC8W_NR];
  for (size_t half = 0; half < (p->gate ? 2 : 1); half++) {
    const size_t from = column + half * width;
    if (half && tile->weights_ahead.from) tile->weights_ahead.from += width / INV_QC8W_NR * p->panel_stride;
    tile->columns = left < INV_QC8W_NR ? left : INV_QC8W_NR;
    tile->panel = p->panels + from / INV_QC8W_NR * p->panel_stride;
    tile->column_scales = p->column_scales + from;
    tile->bias = p->bias ? p->bias + from : 0;
    tile->output = p->gate ? scratch + half * INV_QC8W_NR : p->output + row * width + column;
    tile->stride = p->gate ? 2 * INV_QC8W_NR : width;
    tile->residual = p->residual ? p->residual + row * width + column : 0;
    if (p->row_vectors) {
      for (size_t r = 0; r < mr; r++) {
        const size_t valid = row + (r < tile->rows ? r : tile->rows - 1);
        vectors[r] = p->row_vectors + valid / positions * width + column;
      }
    }
    tile->row_vectors = p->row_vectors ? vectors : 0;
    p->kernel->run(tile);
  }
  if (!p->gate) return;
  for (size_t r = 0; r < tile->rows; r++)
    p->gate(1, INV_QC8W_NR, scratch + r * 2 * INV_QC8W_NR, p->output + (row + r) * width + column);
}

/// `bytes` from an address on, as equal steps; nothing from NULL.
static struct inv_ahead read_ahead(const void *from, size_t bytes, size_t steps) {
  return (struct inv_ahead){from, from ? (bytes + steps - 1) / steps : 0};
}

/// The rows of the next tile where they lie one after the other: many short runs, which the first panel waits for
/// otherwise.
static struct inv_ahead read_rows_ahead(const struct inv_qd8_product *p, size_t row, size_t last_row, size_t steps) {
  const size_t stride = p->part[0].stride, mr = p->kernel->mr, left = last_row > row ? last_row - row : 0;
  const int8_t *from = is_linear(p) && left ? p->part[0].elements + row * stride : 0;
  return read_ahead(from, (left < mr ? left : mr) * stride, steps);
}

void inv_qd8_qc8w_product(const struct inv_qd8_product *p, size_t first_row, size_t last_row, size_t first_panel,
                          size_t last_panel) {
  const size_t segments = p->window.kernel * p->window.kernel * p->parts, mr = p->kernel->mr;
  const size_t bytes = p->panel_stride * (p->gate ? 2 : 1), block = bytes < BLOCK_BYTES ? BLOCK_BYTES / bytes : 1;
  const size_t panels = (width_of(p) + INV_QC8W_NR - 1) / INV_QC8W_NR;
  size_t depths[INV_QD8_SEGMENTS_MAX], depth = 0;
  struct pointers pointers;
  assert(segments <= INV_QD8_SEGMENTS_MAX && mr <= INV_QD8_MR_MAX && p->parts <= INV_QD8_PARTS_MAX);
  assert(!p->gate || (p->outputs % (2 * INV_QC8W_NR) == 0 && !p->row_vectors && !p->residual));
  if (first_row >= last_row) return;
  for (size_t s = 0; s < segments; s++) depth += depths[s] = p->part[s % p->parts].stride;
  for (size_t begin = first_panel; begin < last_panel; begin += block) {
    const size_t end = begin + block < last_panel ? begin + block : last_panel;
    // The next block comes in while this one is multiplied: by itself the processor reads ahead within a page only.
    // Behind the last one it is what the next call most likely begins with: the panels behind, or the first ones.
    const size_t next = end < panels ? end : 0, count = panels - next < block ? panels - next : block;
    const size_t tiles = (last_row - first_row + mr - 1) / mr, steps = depth / INV_QC8W_KR * (end - begin);
    const int stay = next >= begin && next < end;
    struct inv_ahead weights = read_ahead(stay ? 0 : p->panels + next * p->panel_stride, count * p->panel_stride,
                                          tiles * steps);
    for (size_t row = first_row; row < last_row; row += mr) {
      const size_t rows = last_row - row < mr ? last_row - row : mr;
      struct inv_ahead next_rows = read_rows_ahead(p, row + mr, last_row, steps);
      struct inv_qd8_tile tile = {.rows = rows,
                                  .segments = segments,
                                  .depths = depths,
                                  .elements = pointers.elements,
                                  .scales = pointers.scales};
      point(p, row, rows, &pointers);
      for (size_t panel = begin; panel < end; panel++) {
        tile.weights_ahead = weights, tile.rows_ahead = next_rows;
        run(p, &tile, row, panel);
        if (weights.from) weights.from += weights.step * (depth / INV_QC8W_KR);
        if (next_rows.from) next_rows.from += next_rows.step * (depth / INV_QC8W_KR);
      }
    }
  }
}
