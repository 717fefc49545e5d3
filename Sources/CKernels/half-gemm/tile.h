// The body of every microkernel. The includer defines
//   LANES    f32 lanes of a vector
//   MR       rows of a tile
//   NV       vectors of columns in a tile; MR * NV + NV + 1 registers are in use
//   HAS_F16  1 where the instruction set converts f16
#include <assert.h>
#include <string.h>

#include "../include/half_gemm.h"
#include "../templates/turn.h"

enum { NR = NV * LANES };

#define VECTOR(type, n) __attribute__((vector_size((n) * sizeof(type)))) type
typedef VECTOR(float, LANES) vector;
typedef VECTOR(uint32_t, LANES) words;
typedef VECTOR(uint16_t, LANES) halves;
typedef VECTOR(uint32_t, 4) words4;
typedef VECTOR(uint16_t, 4) halves4;

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

/// Bits of f16 as f32: exponent and mantissa move up 13 bits; a product with 2^112 rebiases the exponent and normalises
/// subnormals; infinity and NaN keep an exponent of ones.
#define WIDEN_F16(vector_type, words_type, x)                                                       \
  ({                                                                                                \
    const words_type w_ = __builtin_convertvector(x, words_type), rest_ = (w_ & 0x7FFF) << 13;      \
    const words_type finite_ = (words_type)((vector_type)rest_ * 0x1p112f);                         \
    const words_type special_ = (words_type)((w_ & 0x7C00) == 0x7C00);                              \
    (vector_type)((w_ & 0x8000) << 16 | (finite_ & ~special_) | ((rest_ | 0x7F800000) & special_)); \
  })

#define WIDEN(suffix, vector_type, words_type, halves_type, float16_type)                                     \
  typedef VECTOR(_Float16, sizeof(halves_type) / 2) float16_type;                                             \
  INLINE vector_type widen##suffix(const int is_bf16, const uint16_t *x) {                                    \
    halves_type h;                                                                                            \
    memcpy(&h, x, sizeof h);                                                                                  \
    if (is_bf16) return (vector_type)(__builtin_convertvector(h, words_type) << 16);                          \
    return HAS_F16 ? __builtin_convertvector((float16_type)h, vector_type) : WIDEN_F16(vector_type, words_type, h); \
  }
WIDEN(, vector, words, halves, float16s)
WIDEN(_four, inv_four, words4, halves4, float16s4)

INLINE float widen_one(const int is_bf16, uint16_t x) {
  const uint16_t four[4] = {x};
  return widen_four(is_bf16, four)[0];
}

/// panel (depth, NR) = rows `first..<first + count` of W from element `k` on, turned; columns past them are zero.
INLINE void widen_panel(const int is_bf16, const struct inv_half_product *p, size_t first, size_t count, size_t k,
                        size_t depth, float *panel) {
  if (count < NR) memset(panel, 0, depth * NR * sizeof(float));
  const uint16_t *w = p->weights + first * p->depth + k;
  size_t c = 0;
  for (; c + 4 <= count; c += 4) {
    size_t i = 0;
    for (; i + 4 <= depth; i += 4) {
      inv_four block[4];
      UNROLL for (int j = 0; j < 4; j++) block[j] = widen_four(is_bf16, w + (c + (size_t)j) * p->depth + i);
      inv_turn(block);
      UNROLL for (int j = 0; j < 4; j++) memcpy(panel + (i + j) * NR + c, &block[j], sizeof block[j]);
    }
    for (; i < depth; i++)
      for (size_t j = 0; j < 4; j++) panel[i * NR + c + j] = widen_one(is_bf16, w[(c + j) * p->depth + i]);
  }
  for (; c < count; c++)
    for (size_t i = 0; i < depth; i++) panel[i * NR + c] = widen_one(is_bf16, w[c * p->depth + i]);
}

/// MR rows of y from `row` on, `count` columns: the panel's part of the sum, onto the bias (k = 0) or what is there.
INLINE void tile(const struct inv_half_product *p, size_t row, size_t first, size_t count, size_t k, size_t depth,
                 const float *panel) {
  const size_t rows = p->rows - row < MR ? p->rows - row : MR;
  const float *x[MR];
  vector acc[MR][NV] = {};
  // Rows past the last repeat it, and their sums are dropped.
  UNROLL for (size_t r = 0; r < MR; r++) x[r] = p->x + (row + (r < rows ? r : rows - 1)) * p->x_stride + k;
  for (size_t i = 0; i < depth; i++, panel += NR) {
    vector w[NV];
    UNROLL for (int v = 0; v < NV; v++) w[v] = *(const vector *)(panel + v * LANES);
    UNROLL for (int r = 0; r < MR; r++) {
      const vector value = (vector){} + x[r][i];
      UNROLL for (int v = 0; v < NV; v++) acc[r][v] += w[v] * value;
    }
  }
  float sums[MR * NR];
  memcpy(sums, acc, sizeof sums);
  for (size_t r = 0; r < rows; r++) {
    float *y = p->y + (row + r) * p->y_stride + first;
    if (k > 0)
      for (size_t c = 0; c < count; c++) y[c] += sums[r * NR + c];
    else
      for (size_t c = 0; c < count; c++) y[c] = sums[r * NR + c] + (p->bias ? p->bias[first + c] : 0);
  }
}

/// One row, four columns at a time: weights are not turned.
INLINE void dot(const int is_bf16, const struct inv_half_product *p, size_t row, size_t first, size_t count) {
  const float *x = p->x + row * p->x_stride;
  for (size_t c = first; c < first + count; c += 4) {
    const size_t columns = first + count - c < 4 ? first + count - c : 4;
    const uint16_t *w[4];
    vector acc[4] = {};
    for (size_t j = 0; j < 4; j++) w[j] = p->weights + (c + (j < columns ? j : columns - 1)) * p->depth;
    size_t i = 0;
    for (; i + LANES <= p->depth; i += LANES) {
      vector four;
      memcpy(&four, x + i, sizeof four);
      UNROLL for (int j = 0; j < 4; j++) acc[j] += four * widen(is_bf16, w[j] + i);
    }
    for (size_t j = 0; j < columns; j++) {
      float sum = p->bias ? p->bias[c + j] : 0;
      for (int lane = 0; lane < LANES; lane++) sum += acc[j][lane];
      for (size_t rest = i; rest < p->depth; rest++) sum += x[rest] * widen_one(is_bf16, w[j][rest]);
      p->y[row * p->y_stride + c + j] = sum;
    }
  }
}

INLINE void columns_of(const int is_bf16, const struct inv_half_product *p, size_t first, size_t count, float *panel) {
  // A panel is not worth turning for few rows, and mostly empty for few columns.
  const size_t few = 3;
  if (p->rows <= few || count * 4 <= NR) {
    for (size_t row = 0; row < p->rows; row++) dot(is_bf16, p, row, first, count);
    return;
  }
  for (size_t k = 0; k < p->depth; k += INV_HALF_DEPTH) {
    const size_t depth = p->depth - k < INV_HALF_DEPTH ? p->depth - k : INV_HALF_DEPTH;
    widen_panel(is_bf16, p, first, count, k, depth, panel);
    for (size_t row = 0; row < p->rows; row += MR) tile(p, row, first, count, k, depth, panel);
  }
}

INLINE void half_gemm(const struct inv_half_product *p, size_t first, size_t count, float *scratch) {
  assert(p->rows >= 1 && p->depth >= 1 && count >= 1 && count <= NR && first + count <= p->outputs);
  if (p->is_bf16)
    columns_of(1, p, first, count, scratch);
  else
    columns_of(0, p, first, count, scratch);
}
