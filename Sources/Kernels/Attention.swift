import CKernels
import Tensors

/// In what attention's products are computed. Sums and the softmax are f32 in both.
public enum AttentionPrecision: Sendable {
  /// Good to about 1e-6.
  case f32
  /// Good to about 2^-8, at half the time where the processor multiplies pairs of bf16 or int16; elsewhere the same as
  /// `f32`.
  case sixteenBits

  // Unsafe: a name and a function pointer, constant for the life of the process.
  var kernel: UnsafePointer<inv_attention_ukernel> { self == .sixteenBits ? fastestKernel : f32Kernel }
}

nonisolated(unsafe) private let fastestKernel = firstAllowed(inv_attention_at) { $0.isa }
nonisolated(unsafe) private let f32Kernel = firstAllowed(
  inv_attention_at, where: { $0.precision == INV_ATTENTION_F32 }, isa: { $0.isa })

/// The name of the attention microkernel in use.
public func attentionKernelName(_ precision: AttentionPrecision) -> String {
  String(cString: precision.kernel.pointee.name)
}

/// Rows of f32 (batch * tokens, heads * width) inside rows that may be wider, as those of a product for q, k and v at
/// once are.
public struct HeadRows {
  let pointer: UnsafePointer<Float>
  /// Elements from row to row.
  let stride: Int

  public init(_ pointer: UnsafeRawPointer, stride: Int) {
    self.pointer = pointer.assumingMemoryBound(to: Float.self)
    self.stride = stride
  }

  /// Where a head of an image of `tokens` rows begins.
  func start(image: Int, tokens: Int, channel: Int) -> UnsafePointer<Float> {
    pointer + image * tokens * stride + channel
  }
}

/// What an attention's rows are.
public struct AttentionShape: Sendable {
  public let batch: Int
  /// Of one image or sentence.
  public let queries: Int
  public let keys: Int
  public let heads: Int
  /// Channels of a head; head h owns channels h * width..<(h + 1) * width.
  public let width: Int
  /// Query i sees keys 0...i.
  public let causal: Bool

  public init(batch: Int, queries: Int, keys: Int, heads: Int, width: Int, causal: Bool = false) {
    precondition(batch >= 1 && queries >= 1 && keys >= 1 && heads >= 1 && width >= 1)
    self.batch = batch
    self.queries = queries
    self.keys = keys
    self.heads = heads
    self.width = width
    self.causal = causal
  }

  /// Of the scores before the softmax.
  var scale: Float { 1 / Float(width).squareRoot() }

  /// Whether its work is more than the start of a thread.
  var isWorthCutting: Bool {
    let smallestWorthCutting = 500_000
    return batch * heads * queries * keys * width >= smallestWorthCutting
  }
}

/// softmax(Q Kᵀ / sqrt(width)) V per head, without the matrix of scores: q (batch * queries, heads * width), k and v
/// (batch * keys, heads * width) -> output (batch * queries, heads * width) with a row stride in elements.
///
/// K and V are packed a few heads at a time, `packedBytes` at most unless one head needs more. `logSums`: where the
/// gradient will be wanted, what it needs to know of each row of scores: f32 (batch, heads, queries).
public func flashAttention(
  q: HeadRows, k: HeadRows, v: HeadRows, _ shape: AttentionShape, _ precision: AttentionPrecision,
  into output: UnsafeMutableRawPointer, stride: Int, logSums: UnsafeMutableRawPointer? = nil, pool: BufferPool
) {
  let kernel = precision.kernel
  let (form, tileRows) = (kernel.pointee.precision, kernel.pointee.queries)
  let (heads, width) = (shape.heads, shape.width)
  // Whole cache lines, so that no two heads share one.
  let headBytes = (inv_attention_packed_bytes(form, shape.keys, width) + 63) / 64 * 64
  let packedBytes = 8 << 20
  let wave = max(1, packedBytes / headBytes)
  let tiles = (shape.queries + tileRows - 1) / tileRows
  let out = output.assumingMemoryBound(to: Float.self)
  let sums = logSums?.assumingMemoryBound(to: Float.self)
  let isSmall = !shape.isWorthCutting
  // A `head` counts through the batch: image * heads + head.
  for first in Swift.stride(from: 0, to: shape.batch * heads, by: wave) {
    let count = min(wave, shape.batch * heads - first)
    let packed = pool.allocate(byteCount: count * headBytes)
    Parallel.forEach(count, alone: isSmall) { index in
      let (image, head) = ((first + index) / heads, (first + index) % heads)
      inv_attention_pack(
        form, shape.keys, width, k.start(image: image, tokens: shape.keys, channel: head * width), k.stride,
        v.start(image: image, tokens: shape.keys, channel: head * width), v.stride, packed.pointer + index * headBytes)
    }
    Parallel.forEach(count * tiles, alone: isSmall) { piece in
      let (index, tile) = (piece / tiles, piece % tiles)
      let (image, head) = ((first + index) / heads, (first + index) % heads)
      var attention = inv_attention(
        queries: shape.queries, keys: shape.keys, width: width, scale: shape.scale,
        causal: shape.causal ? 1 : 0, q: q.start(image: image, tokens: shape.queries, channel: head * width),
        q_stride: q.stride, packed: packed.pointer + index * headBytes,
        output: out + image * shape.queries * stride + head * width, output_stride: stride,
        log_sums: sums.map { $0 + (first + index) * shape.queries })
      let scratch = pool.allocate(byteCount: inv_attention_scratch_bytes(kernel, width))
      let begin = tile * tileRows
      kernel.pointee.run(&attention, begin, min(tileRows, shape.queries - begin), scratch.pointer)
    }
  }
}
