import CKernels
import Tensors

// Unsafe: a name and a function pointer, constant for the life of the process.
nonisolated(unsafe) private let kernel = firstAllowed(inv_half_gemm_at) { $0.isa }

/// The name of the microkernel in use for weights in f16 and bf16.
public var halfKernelName: String { String(cString: kernel.pointee.name) }

/// y (rows, outputs) = x (rows, depth) Wᵀ + bias for outputs `columns`, on the calling thread: W (outputs, depth) in
/// f16 or bf16, read in place; all else f32. Strides count elements.
public func halfProduct(
  rows: Int, x: UnsafeRawPointer, stride xStride: Int, _ weight: Weight, columns: Range<Int>, bias: Weight?,
  into y: UnsafeMutableRawPointer, stride yStride: Int, pool: BufferPool
) {
  precondition(weight.dtype == .f16 || weight.dtype == .bf16, "no product reads half weights in \(weight.dtype)")
  let outputs = weight.shape[0]
  var product = inv_half_product(
    rows: rows, outputs: outputs, depth: weight.count / outputs, x: x.assumingMemoryBound(to: Float.self),
    x_stride: xStride, weights: weight.pointer.assumingMemoryBound(to: UInt16.self),
    is_bf16: weight.dtype == .bf16 ? 1 : 0, bias: bias?.pointer.assumingMemoryBound(to: Float.self),
    y: y.assumingMemoryBound(to: Float.self), y_stride: yStride)
  let width = kernel.pointee.nr
  let scratch = pool.allocate(byteCount: Int(INV_HALF_DEPTH) * width * 4)
  for first in stride(from: columns.lowerBound, to: columns.upperBound, by: width) {
    kernel.pointee.run(
      &product, first, min(width, columns.upperBound - first), scratch.pointer.assumingMemoryBound(to: Float.self))
  }
}
