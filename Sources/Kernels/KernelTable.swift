import CKernels
import Tensors

/// The element-wise and row-wise kernels of one element type: see `kernels.inc` for what each does.
public typealias KernelTable = inv_kernels

// Unsafe: tables of function pointers, constant for the life of the process.
nonisolated(unsafe) private let f32Table = inv_kernels_f32(inv_isa(activeInstructionSet.rawValue))
nonisolated(unsafe) private let f64Table = inv_kernels_f64()

/// The kernels for activations of `dtype`, which is f32, or f64 where gradients are checked.
public func kernels(for dtype: DType) -> KernelTable {
  switch dtype {
  case .f32: f32Table.pointee
  case .f64: f64Table.pointee
  default: preconditionFailure("no kernels compute in \(dtype)")
  }
}
