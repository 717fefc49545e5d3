// Patches of a picture as rows of a matrix, so that a convolution is a matrix product, and the transpose for gradients.
#include <string.h>

#include "ckernels.h"

void inv_im2col(const struct inv_window *w, size_t size, size_t first, size_t last, const void *x, void *rows) {
  const size_t pixel = w->channels * size;
  char *out = rows;
  for (size_t position = first; position < last; position++) {
    const size_t top = position / w->out_width * w->stride, left = position % w->out_width * w->stride;
    for (size_t ky = 0; ky < w->kernel; ky++) {
      // Unsigned wrap-around turns "above the picture" into "far below it": one comparison serves both.
      const size_t y = top + ky - w->padding;
      for (size_t kx = 0; kx < w->kernel; kx++, out += pixel) {
        const size_t column = left + kx - w->padding;
        if (y < w->height && column < w->width)
          memcpy(out, (const char *)x + (y * w->width + column) * pixel, pixel);
        else
          memset(out, 0, pixel);
      }
    }
  }
}

#define INV_COL2IM(suffix, real)                                                                                 \
  void inv_col2im_##suffix(const struct inv_window *w, size_t first, size_t last, const real *rows, real *dx) {  \
    const size_t c = w->channels, k = w->kernel;                                                                 \
    memset(dx + first * w->width * c, 0, (last - first) * w->width * c * sizeof(real));                          \
    for (size_t y = first; y < last; y++)                                                                        \
      for (size_t ky = 0; ky < k; ky++) {                                                                        \
        const size_t top = y + w->padding - ky;                                                                  \
        if (top % w->stride != 0 || top / w->stride >= w->out_height) continue;                                  \
        for (size_t x = 0; x < w->width; x++)                                                                    \
          for (size_t kx = 0; kx < k; kx++) {                                                                    \
            const size_t left = x + w->padding - kx;                                                             \
            if (left % w->stride != 0 || left / w->stride >= w->out_width) continue;                             \
            const size_t position = top / w->stride * w->out_width + left / w->stride;                           \
            const real *from = rows + (position * k * k + ky * k + kx) * c;                                      \
            real *to = dx + (y * w->width + x) * c;                                                              \
            for (size_t i = 0; i < c; i++) to[i] += from[i];                                                     \
          }                                                                                                      \
      }                                                                                                          \
  }

INV_COL2IM(f32, float)
INV_COL2IM(f64, double)
