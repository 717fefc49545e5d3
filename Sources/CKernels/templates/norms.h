// LayerNorm and GroupNorm with their input gradients. Statistics are two-pass and summed in double.

static void layer_norm(size_t rows, size_t channels, double eps, const void *x_, const void *gamma_,
                       const void *beta_, void *y_, void *mean_, void *rstd_) {
  const REAL *gamma = gamma_, *beta = beta_;
  for (size_t r = 0; r < rows; r++) {
    const REAL *x = (const REAL *)x_ + r * channels;
    REAL *y = (REAL *)y_ + r * channels;
    double sum = 0, squares = 0;
    for (size_t c = 0; c < channels; c++) sum += x[c];
    const double mean = sum / (double)channels;
    for (size_t c = 0; c < channels; c++) squares += (x[c] - mean) * (x[c] - mean);
    const double rstd = 1 / sqrt(squares / (double)channels + eps);
    const REAL m = (REAL)mean, s = (REAL)rstd;
    for (size_t c = 0; c < channels; c++) y[c] = (x[c] - m) * s * gamma[c] + beta[c];
    ((REAL *)mean_)[r] = m;
    ((REAL *)rstd_)[r] = s;
  }
}

/// With g = dy * gamma and xhat = (x - mean) * rstd: dx = rstd * (g - mean(g) - xhat * mean(g * xhat)).
static void layer_norm_input_gradient(size_t rows, size_t channels, const void *dy_, const void *x_,
                                      const void *gamma_, const void *mean_, const void *rstd_, void *dx_) {
  const REAL *gamma = gamma_;
  for (size_t r = 0; r < rows; r++) {
    const REAL *dy = (const REAL *)dy_ + r * channels, *x = (const REAL *)x_ + r * channels;
    REAL *dx = (REAL *)dx_ + r * channels;
    const REAL mean = ((const REAL *)mean_)[r], rstd = ((const REAL *)rstd_)[r];
    double sum = 0, dot = 0;
    for (size_t c = 0; c < channels; c++) {
      const double g = dy[c] * gamma[c];
      sum += g;
      dot += g * ((x[c] - mean) * rstd);
    }
    const REAL a = (REAL)(sum / (double)channels), b = (REAL)(dot / (double)channels);
    for (size_t c = 0; c < channels; c++) dx[c] = rstd * (dy[c] * gamma[c] - a - (x[c] - mean) * rstd * b);
  }
}

/// Sums per channel first, so that the inner loop runs over contiguous channels whatever the group's width.
static void group_norm(size_t pixels, size_t stride, size_t groups, size_t channels_per_group, double eps,
                       const void *x_, const void *gamma_, const void *beta_, void *y_, void *mean_, void *rstd_) {
  const REAL *gamma = gamma_, *beta = beta_;
  const size_t channels = groups * channels_per_group;
  assert(channels <= INV_GROUP_NORM_CHANNELS);
  double sums[INV_GROUP_NORM_CHANNELS];
  REAL shift[INV_GROUP_NORM_CHANNELS], scale[INV_GROUP_NORM_CHANNELS];
  const double count = (double)(pixels * channels_per_group);

  memset(sums, 0, channels * sizeof sums[0]);
  for (size_t p = 0; p < pixels; p++) {
    const REAL *x = (const REAL *)x_ + p * stride;
    for (size_t c = 0; c < channels; c++) sums[c] += x[c];
  }
  for (size_t g = 0; g < groups; g++) {
    double sum = 0;
    for (size_t i = 0; i < channels_per_group; i++) sum += sums[g * channels_per_group + i];
    ((REAL *)mean_)[g] = (REAL)(sum / count);
    for (size_t i = 0; i < channels_per_group; i++) shift[g * channels_per_group + i] = ((REAL *)mean_)[g];
  }

  memset(sums, 0, channels * sizeof sums[0]);
  for (size_t p = 0; p < pixels; p++) {
    const REAL *x = (const REAL *)x_ + p * stride;
    for (size_t c = 0; c < channels; c++) sums[c] += (x[c] - shift[c]) * (x[c] - shift[c]);
  }
  for (size_t g = 0; g < groups; g++) {
    double squares = 0;
    for (size_t i = 0; i < channels_per_group; i++) squares += sums[g * channels_per_group + i];
    ((REAL *)rstd_)[g] = (REAL)(1 / sqrt(squares / count + eps));
    for (size_t i = 0; i < channels_per_group; i++) {
      const size_t c = g * channels_per_group + i;
      scale[c] = ((REAL *)rstd_)[g] * gamma[c];
      shift[c] = beta[c] - shift[c] * scale[c];
    }
  }
  for (size_t p = 0; p < pixels; p++) {
    const REAL *x = (const REAL *)x_ + p * stride;
    REAL *y = (REAL *)y_ + p * stride;
    for (size_t c = 0; c < channels; c++) y[c] = x[c] * scale[c] + shift[c];
  }
}

/// As LayerNorm's gradient, with the means taken over a group.
static void group_norm_input_gradient(size_t pixels, size_t stride, size_t groups, size_t channels_per_group,
                                      const void *dy_, const void *x_, const void *gamma_, const void *mean_,
                                      const void *rstd_, void *dx_) {
  const REAL *gamma = gamma_;
  const size_t channels = groups * channels_per_group;
  assert(channels <= INV_GROUP_NORM_CHANNELS);
  double sums[INV_GROUP_NORM_CHANNELS], dots[INV_GROUP_NORM_CHANNELS];
  REAL from_dy[INV_GROUP_NORM_CHANNELS], from_x[INV_GROUP_NORM_CHANNELS], constant[INV_GROUP_NORM_CHANNELS];
  const double count = (double)(pixels * channels_per_group);

  memset(sums, 0, channels * sizeof sums[0]);
  memset(dots, 0, channels * sizeof dots[0]);
  for (size_t c = 0; c < channels; c++) constant[c] = ((const REAL *)mean_)[c / channels_per_group];
  for (size_t p = 0; p < pixels; p++) {
    const REAL *dy = (const REAL *)dy_ + p * stride, *x = (const REAL *)x_ + p * stride;
    for (size_t c = 0; c < channels; c++) sums[c] += dy[c];
    for (size_t c = 0; c < channels; c++) dots[c] += dy[c] * (x[c] - constant[c]);
  }
  for (size_t g = 0; g < groups; g++) {
    const double mean = ((const REAL *)mean_)[g], rstd = ((const REAL *)rstd_)[g];
    double sum = 0, dot = 0;
    for (size_t c = g * channels_per_group; c < (g + 1) * channels_per_group; c++) {
      sum += sums[c] * gamma[c];
      dot += dots[c] * gamma[c] * rstd;
    }
    // dx = rstd * gamma * dy - rstd * a - (x - mean) * rstd^2 * b, a linear map of dy and x per channel.
    const double a = sum / count, b = dot / count;
    for (size_t c = g * channels_per_group; c < (g + 1) * channels_per_group; c++) {
      from_dy[c] = (REAL)(rstd * gamma[c]);
      from_x[c] = (REAL)(-rstd * rstd * b);
      constant[c] = (REAL)(-rstd * a + mean * rstd * rstd * b);
    }
  }
  for (size_t p = 0; p < pixels; p++) {
    const REAL *dy = (const REAL *)dy_ + p * stride, *x = (const REAL *)x_ + p * stride;
    REAL *dx = (REAL *)dx_ + p * stride;
    for (size_t c = 0; c < channels; c++) dx[c] = dy[c] * from_dy[c] + x[c] * from_x[c] + constant[c];
  }
}
