import COpenBLAS
import Tensors

/// One factor of a matrix product: where it starts, its row stride in elements, and whether it is read transposed.
public struct Matrix {
  public let pointer: UnsafeRawPointer
  public let stride: Int
  public let transposed: Bool

  public init(_ pointer: UnsafeRawPointer, stride: Int, transposed: Bool = false) {
    self.pointer = pointer
    self.stride = stride
    self.transposed = transposed
  }
}

/// OpenBLAS starts threads of its own unless told not to; `Parallel` cuts the work instead.
private let singleThreadedBLAS: Void = openblas_set_num_threads(1)

/// c (m, n) = alpha * a (m, k) * b (k, n) + beta * c, row-major, on the calling thread.
public func matrixProduct(
  _ dtype: DType, m: Int, n: Int, k: Int, alpha: Double = 1, _ a: Matrix, _ b: Matrix, beta: Double = 0,
  into c: UnsafeMutableRawPointer, stride: Int
) {
  _ = singleThreadedBLAS
  let transposeA = a.transposed ? CblasTrans : CblasNoTrans
  let transposeB = b.transposed ? CblasTrans : CblasNoTrans
  switch dtype {
  case .f32:
    cblas_sgemm(
      CblasRowMajor, transposeA, transposeB, blasint(m), blasint(n), blasint(k), Float(alpha),
      a.pointer.assumingMemoryBound(to: Float.self), blasint(a.stride),
      b.pointer.assumingMemoryBound(to: Float.self), blasint(b.stride), Float(beta),
      c.assumingMemoryBound(to: Float.self), blasint(stride))
  case .f64:
    cblas_dgemm(
      CblasRowMajor, transposeA, transposeB, blasint(m), blasint(n), blasint(k), alpha,
      a.pointer.assumingMemoryBound(to: Double.self), blasint(a.stride),
      b.pointer.assumingMemoryBound(to: Double.self), blasint(b.stride), beta,
      c.assumingMemoryBound(to: Double.self), blasint(stride))
  default: preconditionFailure("no matrix product computes in \(dtype)")
  }
}
