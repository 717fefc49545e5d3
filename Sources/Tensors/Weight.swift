/// A constant tensor of a model: read-only memory, its shape, and whatever keeps the memory alive.
public struct Weight: @unchecked Sendable {
  public let pointer: UnsafeRawPointer
  public let dtype: DType
  public let shape: [Int]
  /// A file mapping or a buffer.
  private let owner: AnyObject

  public init(pointer: UnsafeRawPointer, dtype: DType, shape: [Int], owner: AnyObject) {
    self.pointer = pointer
    self.dtype = dtype
    self.shape = shape
    self.owner = owner
  }

  public var count: Int { shape.reduce(1, *) }
}

extension Weight {
  /// The same memory under another shape of equal size.
  public func reshaped(_ shape: [Int]) -> Weight {
    precondition(shape.reduce(1, *) == count)
    return Weight(pointer: pointer, dtype: dtype, shape: shape, owner: owner)
  }
}
