import Tensors

/// A block of elements in a torch file, of which tensors are views.
struct TorchStorage: Sendable, Hashable {
  let key: String
  /// nil: bytes without a type.
  let dtype: DType?
  /// Elements, or bytes when there is no type.
  let count: Int

  /// nil when it overflows.
  var byteCount: Int? {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: dtype?.byteCount ?? 1)
    return overflow ? nil : bytes
  }
}

/// A tensor of a torch file: a strided view of a storage, checked to lie inside it.
public struct TorchTensor: Sendable, Hashable {
  public let dtype: DType
  /// Row-major; empty for a scalar.
  public let shape: [Int]
  let storage: TorchStorage
  /// In elements.
  let offset: Int
  let strides: [Int]

  /// A view may repeat elements (stride 0) up to this many; a larger one is a memory bomb.
  private static let repeatedLimit = 1 << 16

  public var elementCount: Int { shape.reduce(1, *) }

  init(_ storage: TorchStorage, dtype: DType, offset: Int, shape: [Int], strides: [Int]) throws {
    guard shape.count == strides.count else {
      throw FormatFault("a tensor with \(strides.count) strides for shape \(shape)")
    }
    guard offset >= 0, shape.allSatisfy({ $0 >= 0 }) else {
      throw FormatFault("a tensor with a negative offset or shape")
    }
    guard strides.allSatisfy({ $0 >= 0 }) else { throw FormatFault("a tensor with a negative stride") }
    guard let byteCount = storage.byteCount else { throw FormatFault("storage '\(storage.key)' overflows") }
    let available = byteCount / dtype.byteCount
    var elements = 1
    var last = offset
    for (size, stride) in zip(shape, strides) {
      let product = elements.multipliedReportingOverflow(by: size)
      let reach = max(0, size - 1).multipliedReportingOverflow(by: stride)
      let sum = last.addingReportingOverflow(reach.partialValue)
      guard !product.overflow, !reach.overflow, !sum.overflow else { throw FormatFault("shape \(shape) overflows") }
      (elements, last) = (product.partialValue, sum.partialValue)
    }
    guard elements == 0 ? offset <= available : last < available else {
      throw FormatFault("a tensor of shape \(shape) at \(offset) reaches out of its storage of \(available) elements")
    }
    guard elements <= max(available, Self.repeatedLimit) else {
      throw FormatFault("a tensor of shape \(shape) over \(available) elements is too large")
    }
    self.dtype = dtype
    self.shape = shape
    self.storage = storage
    self.offset = offset
    self.strides = strides
  }

  /// Whether its elements stand in the storage one after the other.
  var isContiguous: Bool {
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() {
      if size != 1, stride != expected { return false }
      expected *= size
    }
    return true
  }

  /// The elements in row-major order from the bytes of the storage.
  func gather(from storage: UnsafeRawBufferPointer) -> [UInt8] {
    let size = dtype.byteCount
    let start = offset * size
    if elementCount == 0 { return [] }
    if isContiguous { return Array(storage[start..<start + elementCount * size]) }
    var out: [UInt8] = []
    out.reserveCapacity(elementCount * size)
    var index = [Int](repeating: 0, count: shape.count)
    var element = offset
    for _ in 0..<elementCount {
      out += storage[element * size..<(element + 1) * size]
      for axis in shape.indices.reversed() {
        index[axis] += 1
        element += strides[axis]
        if index[axis] < shape[axis] { break }
        element -= shape[axis] * strides[axis]
        index[axis] = 0
      }
    }
    return out
  }
}
