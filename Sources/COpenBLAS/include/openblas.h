// Products of dense row-major matrices by Debian's OpenBLAS, which is loaded when the first is asked for: programs that
// multiply int8 only never do.
#pragma once

/// c (m, n) = alpha * a (m, k) * b (k, n) + beta * c on the calling thread. `turn_`: whether the factor lies
/// transposed; `_stride`: elements from row to row. Ends the program with status 66 where OpenBLAS is not installed.
void inv_openblas_sgemm(int turn_a, int turn_b, int m, int n, int k, float alpha, const float *_Nonnull a,
                        int a_stride, const float *_Nonnull b, int b_stride, float beta, float *_Nonnull c,
                        int c_stride);
void inv_openblas_dgemm(int turn_a, int turn_b, int m, int n, int k, double alpha, const double *_Nonnull a,
                        int a_stride, const double *_Nonnull b, int b_stride, double beta, double *_Nonnull c,
                        int c_stride);
