// Walks a product's tiles: panels in blocks that stay in the second-level cache, over all rows, MR at a time.
#include <assert.h>

#include "../include/qd8_qc8w_gemm.h"

/// Half of a small second-level cache.
enum { BLOCK_BYTES = 256 * 1024 };

static const struct inv_qd8_row zero_row = {0, 0};

struct pointers {
  const int8_t *elements[INV_QD8_TAPS_MAX * INV_QD8_MR_MAX];
  const struct inv_qd8_row *scales[INV_QD8_TAPS_MAX * INV_QD8_MR_MAX];
};

/// Where each tap of each of `rows` output rows from `first` on finds its input row.
static void point(const struct inv_qd8_product *p, size_t first, size_t rows, struct pointers *out) {
  const struct inv_window *w = &p->window;
  const size_t mr = p->kernel->mr, positions = w->out_height * w->out_width;
  for (size_t r = 0; r < mr; r++) {
    const size_t row = first + (r < rows ? r : rows - 1), position = row % positions;
    const size_t base = row / positions * w->height * w->width;
    const size_t top = position / w->out_width * w->stride, left = position % w->out_width * w->stride;
    for (size_t ky = 0, tap = 0; ky < w->kernel; ky++)
      for (size_t kx = 0; kx < w->kernel; kx++, tap++) {
        // Unsigned wrap-around makes "above the picture" and "left of it" large.
        const size_t y = top + ky - w->padding, x = left + kx - w->padding;
        const int inside = y < w->height && x < w->width;
        const size_t source = base + y * w->width + x;
        out->elements[tap * mr + r] = inside ? p->elements + source * p->stride : p->zeros;
        out->scales[tap * mr + r] = inside ? p->scales + source : &zero_row;
      }
  }
}

void inv_qd8_qc8w_product(const struct inv_qd8_product *p, size_t first_row, size_t last_row, size_t first_panel,
                          size_t last_panel) {
  const size_t taps = p->window.kernel * p->window.kernel, mr = p->kernel->mr;
  const size_t block = p->panel_stride < BLOCK_BYTES ? BLOCK_BYTES / p->panel_stride : 1;
  size_t depths[INV_QD8_TAPS_MAX];
  struct pointers pointers;
  assert(taps <= INV_QD8_TAPS_MAX && mr <= INV_QD8_MR_MAX);
  for (size_t tap = 0; tap < taps; tap++) depths[tap] = p->stride;
  for (size_t begin = first_panel; begin < last_panel; begin += block) {
    const size_t end = begin + block < last_panel ? begin + block : last_panel;
    for (size_t row = first_row; row < last_row; row += mr) {
      const size_t rows = last_row - row < mr ? last_row - row : mr;
      point(p, row, rows, &pointers);
      for (size_t panel = begin; panel < end; panel++) {
        const size_t column = panel * INV_QC8W_NR, left = p->outputs - column;
        const struct inv_qd8_tile tile = {
            .rows = rows,
            .columns = left < INV_QC8W_NR ? left : INV_QC8W_NR,
            .segments = taps,
            .depths = depths,
            .elements = pointers.elements,
            .scales = pointers.scales,
            .panel = p->panels + panel * p->panel_stride,
            .column_scales = p->column_scales + column,
            .bias = p->bias ? p->bias + column : 0,
            .output = p->output + row * p->outputs + column,
            .stride = p->outputs,
        };
        p->kernel->run(&tile);
      }
    }
  }
}
