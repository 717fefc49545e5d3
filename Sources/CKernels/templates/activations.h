// SiLU, GELU, quick GELU and GEGLU with their input gradients, for REAL in {float, double}.

static inline REAL sigmoid(REAL x) { return (REAL)1 / ((REAL)1 + inv_exp(-x)); }

/// Phi(x), the normal distribution function: GELU(x) = x * Phi(x) (Hendrycks and Gimpel 2016).
static inline REAL normal_cdf(REAL x) { return (REAL)0.5 * ((REAL)1 + inv_erf(x * (REAL)0.70710678118654752440)); }

/// d/dx (x * Phi(x)) = Phi(x) + x * phi(x)
static inline REAL gelu_slope(REAL x) {
  return normal_cdf(x) + x * (REAL)0.39894228040143267794 * inv_exp((REAL)-0.5 * x * x);
}

static void silu(size_t n, const void *x_, void *y_) {
  const REAL *x = x_;
  REAL *y = y_;
  for (size_t i = 0; i < n; i++) y[i] = x[i] * sigmoid(x[i]);
}

static void silu_input_gradient(size_t n, const void *dy_, const void *x_, void *dx_) {
  const REAL *dy = dy_, *x = x_;
  REAL *dx = dx_;
  for (size_t i = 0; i < n; i++) {
    const REAL s = sigmoid(x[i]);
    dx[i] = dy[i] * s * ((REAL)1 + x[i] * ((REAL)1 - s));
  }
}

static void gelu(size_t n, const void *x_, void *y_) {
  const REAL *x = x_;
  REAL *y = y_;
  for (size_t i = 0; i < n; i++) y[i] = x[i] * normal_cdf(x[i]);
}

static void gelu_input_gradient(size_t n, const void *dy_, const void *x_, void *dx_) {
  const REAL *dy = dy_, *x = x_;
  REAL *dx = dx_;
  for (size_t i = 0; i < n; i++) dx[i] = dy[i] * gelu_slope(x[i]);
}

/// x * sigmoid(1.702 x), the GELU of OpenAI's CLIP.
static void quick_gelu(size_t n, const void *x_, void *y_) {
  const REAL *x = x_;
  REAL *y = y_;
  for (size_t i = 0; i < n; i++) y[i] = x[i] * sigmoid((REAL)1.702 * x[i]);
}

static void quick_gelu_input_gradient(size_t n, const void *dy_, const void *x_, void *dx_) {
  const REAL *dy = dy_, *x = x_;
  REAL *dx = dx_;
  for (size_t i = 0; i < n; i++) {
    const REAL s = sigmoid((REAL)1.702 * x[i]);
    dx[i] = dy[i] * s * ((REAL)1 + (REAL)1.702 * x[i] * ((REAL)1 - s));
  }
}

static void geglu(size_t rows, size_t channels, const void *x_, void *y_) {
  for (size_t r = 0; r < rows; r++) {
    const REAL *value = (const REAL *)x_ + r * 2 * channels, *gate = value + channels;
    REAL *y = (REAL *)y_ + r * channels;
    for (size_t c = 0; c < channels; c++) y[c] = value[c] * gate[c] * normal_cdf(gate[c]);
  }
}

static void geglu_input_gradient(size_t rows, size_t channels, const void *dy_, const void *x_, void *dx_) {
  for (size_t r = 0; r < rows; r++) {
    const REAL *value = (const REAL *)x_ + r * 2 * channels, *gate = value + channels;
    const REAL *dy = (const REAL *)dy_ + r * channels;
    REAL *dvalue = (REAL *)dx_ + r * 2 * channels, *dgate = dvalue + channels;
    for (size_t c = 0; c < channels; c++) dvalue[c] = dy[c] * gate[c] * normal_cdf(gate[c]);
    for (size_t c = 0; c < channels; c++) dgate[c] = dy[c] * value[c] * gelu_slope(gate[c]);
  }
}
