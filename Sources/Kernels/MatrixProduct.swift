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

/// c (m, n) = alpha * a (m, k) * b (k, n) + beta * c, row-major, on the calling thread.
public func matrixProduct(
  _ dtype: DType, m: Int, n: Int, k: Int, alpha: Double = 1, _ a: Matrix, _ b: Matrix, beta: Double = 0,
  into c: UnsafeMutableRawPointer, stride: Int
) {
  let (turnA, turnB): (Int32, Int32) = (a.transposed ? 1 : 0, b.transposed ? 1 : 0)
  switch dtype {
  case .f32:
    inv_openblas_sgemm(
      turnA, turnB, Int32(m), Int32(n), Int32(k), Float(alpha), a.pointer.assumingMemoryBound(to: Float.self),
      Int32(a.stride), b.pointer.assumingMemoryBound(to: Float.self), Int32(b.stride), Float(beta),
      c.assumingMemoryBound(to: Float.self), Int32(stride))
  case .f64:
    inv_openblas_dgemm(
      turnA, turnB, Int32(m), Int32(n), Int32(k), alpha, a.pointer.assumingMemoryBound(to: Double.self),
      Int32(a.stride), b.pointer.assumingMemoryBound(to: Double.self), Int32(b.stride), beta,
      c.assumingMemoryBound(to: Double.self), Int32(stride))
  default: preconditionFailure("no matrix product computes in \(dtype)")
  }
}
