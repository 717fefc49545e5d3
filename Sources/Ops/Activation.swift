import Kernels
import Tensors

/// A value computed by a tape: rows of channels, with leading dimensions that say what the rows are.
///
/// Pictures are (batch, height, width, channels), token sequences (batch, tokens, channels), vectors (batch, channels).
public final class Activation {
  public let shape: [Int]
  public let dtype: DType
  let buffer: Buffer
  /// Where its gradient accumulates; nil for a constant.
  let slot: Int?
  /// Kept while the activation lives, because queries, keys and values read the same rows.
  private var quantisedRows: QuantisedRows?

  init(shape: [Int], dtype: DType, buffer: Buffer, slot: Int?) {
    precondition(shape.reduce(1, *) * dtype.byteCount <= buffer.byteCount)
    self.shape = shape
    self.dtype = dtype
    self.buffer = buffer
    self.slot = slot
  }

  public var count: Int { shape.reduce(1, *) }
  public var channels: Int { shape[shape.count - 1] }
  public var rows: Int { count / channels }
  public var batch: Int { shape[0] }
  public var pointer: UnsafeMutableRawPointer { buffer.pointer }
  public var needsGradient: Bool { slot != nil }

  /// The elements as f32, for results, tests and losses.
  public var floats: [Float] {
    switch dtype {
    case .f64: doubles.map(Float.init)
    default: Array(UnsafeBufferPointer(start: pointer.assumingMemoryBound(to: Float.self), count: count))
    }
  }

  /// The elements as f64.
  public var doubles: [Double] {
    switch dtype {
    case .f64: Array(UnsafeBufferPointer(start: pointer.assumingMemoryBound(to: Double.self), count: count))
    default: floats.map(Double.init)
    }
  }

  /// The rows in int8.
  func quantised(_ pool: BufferPool) -> QuantisedRows {
    if let quantisedRows { return quantisedRows }
    let made = QuantisedRows(pointer, rows: rows, channels: channels, pool: pool)
    quantisedRows = made
    return made
  }

  /// Where element `index` lies.
  func at(_ index: Int) -> UnsafeMutableRawPointer { pointer + index * dtype.byteCount }
}
