// Softmax, sums of rows and nearest-neighbour upsampling.

static void softmax_rows(size_t rows, size_t n, size_t visible, double scale_, void *s_) {
  const REAL scale = (REAL)scale_;
  for (size_t r = 0; r < rows; r++) {
    REAL *s = (REAL *)s_ + r * n;
    const size_t seen = visible + r < n ? visible + r : n;
    REAL largest = s[0];
    for (size_t i = 1; i < seen; i++) largest = s[i] > largest ? s[i] : largest;
    REAL sum = 0;
    for (size_t i = 0; i < seen; i++) {
      s[i] = inv_exp((s[i] - largest) * scale);
      sum += s[i];
    }
    const REAL inverse = (REAL)1 / sum;
    for (size_t i = 0; i < seen; i++) s[i] *= inverse;
    for (size_t i = seen; i < n; i++) s[i] = 0;
  }
}

static void softmax_rows_input_gradient(size_t rows, size_t n, double scale_, const void *p_, void *dp_) {
  const REAL scale = (REAL)scale_;
  for (size_t r = 0; r < rows; r++) {
    const REAL *p = (const REAL *)p_ + r * n;
    REAL *dp = (REAL *)dp_ + r * n;
    REAL dot = 0;
    for (size_t i = 0; i < n; i++) dot += p[i] * dp[i];
    for (size_t i = 0; i < n; i++) dp[i] = scale * p[i] * (dp[i] - dot);
  }
}

static void add(size_t n, const void *a_, const void *b_, void *y_) {
  const REAL *a = a_, *b = b_;
  REAL *y = y_;
  for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void add_row(size_t rows, size_t channels, const void *x_, const void *row_, void *y_) {
  const REAL *row = row_;
  for (size_t r = 0; r < rows; r++) {
    const REAL *x = (const REAL *)x_ + r * channels;
    REAL *y = (REAL *)y_ + r * channels;
    for (size_t c = 0; c < channels; c++) y[c] = x[c] + row[c];
  }
}

static void fill_rows(size_t rows, size_t channels, size_t stride, const void *row, void *y) {
  for (size_t r = 0; r < rows; r++) memcpy((REAL *)y + r * stride, row, channels * sizeof(REAL));
}

static void sum_rows(size_t rows, size_t channels, const void *x_, void *y_) {
  REAL *y = y_;
  memset(y, 0, channels * sizeof(REAL));
  for (size_t r = 0; r < rows; r++) {
    const REAL *x = (const REAL *)x_ + r * channels;
    for (size_t c = 0; c < channels; c++) y[c] += x[c];
  }
}

static void upsample_nearest_2x(size_t height, size_t width, size_t channels, const void *x_, void *y_) {
  const size_t bytes = channels * sizeof(REAL);
  for (size_t row = 0; row < height; row++) {
    char *y = (char *)y_ + row * 4 * width * bytes;
    for (size_t column = 0; column < width; column++) {
      const char *x = (const char *)x_ + (row * width + column) * bytes;
      memcpy(y + 2 * column * bytes, x, bytes);
      memcpy(y + (2 * column + 1) * bytes, x, bytes);
    }
    memcpy(y + 2 * width * bytes, y, 2 * width * bytes);
  }
}

static void upsample_nearest_2x_input_gradient(size_t height, size_t width, size_t channels, const void *dy_,
                                               void *dx_) {
  for (size_t row = 0; row < height; row++) {
    for (size_t column = 0; column < width; column++) {
      const REAL *upper = (const REAL *)dy_ + (row * 4 * width + column * 2) * channels;
      const REAL *lower = upper + 2 * width * channels;
      REAL *dx = (REAL *)dx_ + (row * width + column) * channels;
      for (size_t c = 0; c < channels; c++) {
        dx[c] = (upper[c] + upper[c + channels]) + (lower[c] + lower[c + channels]);
      }
    }
  }
}
