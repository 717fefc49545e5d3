import Kernels
import Tensors

/// A value computed by a tape: rows of channels, with leading dimensions that say what the rows are.
///
/// Pictures are (batch, height, width, channels), token sequences (batch, tokens, channels), vectors (batch, channels).
/// Its rows may be deferred until somebody needs them; see `DeferredRows`.
public final class Activation {
  public let shape: [Int]
  public let dtype: DType
  /// Where its gradient accumulates; nil for a constant.
  let slot: Int?
  private var storage: Storage
  /// Kept while the activation lives, because queries, keys and values read the same rows.
  private var quantisedParts: [QuantisedRows]?

  private enum Storage {
    case rows(Buffer)
    case deferred(any DeferredRows)
    /// The rows of another activation under this one's shape.
    case alias(of: Activation)
  }

  init(shape: [Int], dtype: DType, buffer: Buffer, slot: Int?) {
    precondition(shape.reduce(1, *) * dtype.byteCount <= buffer.byteCount)
    self.shape = shape
    self.dtype = dtype
    self.slot = slot
    storage = .rows(buffer)
  }

  /// In f32, with rows that are made when they are first asked for.
  init(shape: [Int], deferred: any DeferredRows, slot: Int?) {
    self.shape = shape
    dtype = .f32
    self.slot = slot
    storage = .deferred(deferred)
  }

  /// Shares the rows of `other`, made or not.
  init(shape: [Int], aliasOf other: Activation, slot: Int?) {
    precondition(shape.reduce(1, *) == other.count)
    self.shape = shape
    dtype = other.dtype
    self.slot = slot
    storage = .alias(of: other)
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

  /// Where element `index` lies. The rows must have been made: an op asks here from several threads.
  func at(_ index: Int) -> UnsafeMutableRawPointer { buffer.pointer + index * dtype.byteCount }

  // MARK: Deferral

  /// The rows' memory; makes deferred rows, and so not from several threads at once.
  var buffer: Buffer {
    switch storage {
    case .rows(let buffer): return buffer
    case .alias(let other): return other.buffer
    case .deferred(let deferred):
      let buffer = deferred.tape.pool.allocate(byteCount: count * dtype.byteCount)
      deferred.fill(buffer.pointer)
      storage = .rows(buffer)
      return buffer
    }
  }

  /// What would make the rows, where they have not been made yet.
  var deferred: (any DeferredRows)? {
    switch storage {
    case .rows: nil
    case .alias(let other): other.deferred
    case .deferred(let deferred): deferred
    }
  }

  /// The rows in int8; in two parts where two activations were put side by side.
  func quantised(_ pool: BufferPool) -> [QuantisedRows] {
    if case .alias(let other) = storage { return other.quantised(pool) }
    if let quantisedParts { return quantisedParts }
    let made =
      deferred?.quantised() ?? [QuantisedRows(pointer, rows: rows, channels: channels, pool: pool)]
    quantisedParts = made
    return made
  }
}
