import CKernels
import Glibc
import Kernels
import Tensors
import TestSupport
import Testing

/// Every attention microkernel of this machine against a plain softmax in f64: at tile edges, with scores of thousands,
/// with a guard page after each buffer.
@Suite struct AttentionTests {
  // Unsafe: names and function pointers, constant for the life of the process.
  nonisolated(unsafe) static let kernels: [UnsafePointer<inv_attention_ukernel>] = {
    var kernels: [UnsafePointer<inv_attention_ukernel>] = []
    while let kernel = inv_attention_at(kernels.count) { kernels.append(kernel) }
    return kernels
  }()

  /// One head, its operands and its result in f64.
  struct Problem {
    let queries: Int
    let keys: Int
    let width: Int
    let causal: Bool
    /// Elements from row to row of q, k, v and the output.
    var strides: (q: Int, k: Int, v: Int, output: Int)
    var q: [Float]
    var k: [Float]
    var v: [Float]
    let scale: Float

    init(queries: Int, keys: Int, width: Int, causal: Bool = false, largest: Float = 2, scale: Float? = nil) {
      var numbers = SeededGenerator(state: UInt64(queries * 7919 + keys * 104_729 + width))
      (self.queries, self.keys, self.width, self.causal) = (queries, keys, width, causal)
      strides = (width + 3, width + 1, width, width + 5)
      func rows(_ count: Int, _ stride: Int, _ largest: Float) -> [Float] {
        (0..<(count - 1) * stride + width).map { _ in Float.random(in: -largest...largest, using: &numbers) }
      }
      q = rows(queries, strides.q, largest)
      k = rows(keys, strides.k, largest)
      v = rows(keys, strides.v, 1)
      self.scale = scale ?? 1 / Float(width).squareRoot()
    }

    /// softmax(scale * Q Kᵀ) V in f64, (queries, width).
    func expected() -> [Double] {
      var result: [Double] = []
      for query in 0..<queries {
        let scores = (0..<(causal ? min(query + 1, keys) : keys)).map { key in
          (0..<width).reduce(0.0) { $0 + Double(q[query * strides.q + $1]) * Double(k[key * strides.k + $1]) }
            * Double(scale)
        }
        let most = scores.max() ?? 0
        let weights = scores.map { exp($0 - most) }
        let sum = weights.reduce(0, +)
        for channel in 0..<width {
          result.append(
            weights.indices.reduce(0.0) { $0 + weights[$1] * Double(v[$1 * strides.v + channel]) } / sum)
        }
      }
      return result
    }

    /// What `kernel` makes of it, and whether it left alone what lies between the rows of the output.
    func run(_ kernel: UnsafePointer<inv_attention_ukernel>) -> (values: [Double], cleanGaps: Bool) {
      let (form, tile) = (kernel.pointee.precision, kernel.pointee.queries)
      let (q, k, v) = (GuardedBuffer(q), GuardedBuffer(k), GuardedBuffer(v))
      let packed = GuardedBuffer(byteCount: inv_attention_packed_bytes(form, keys, width))
      let scratch = GuardedBuffer(byteCount: inv_attention_scratch_bytes(kernel, width))
      let output = GuardedBuffer([Float](repeating: -7, count: (queries - 1) * strides.output + width))
      inv_attention_pack(
        form, keys, width, k.pointer.assumingMemoryBound(to: Float.self), strides.k,
        v.pointer.assumingMemoryBound(to: Float.self), strides.v, packed.pointer)
      var attention = inv_attention(
        queries: queries, keys: keys, width: width, scale: scale, causal: causal ? 1 : 0,
        q: q.pointer.assumingMemoryBound(to: Float.self), q_stride: strides.q, packed: packed.pointer,
        output: output.pointer.assumingMemoryBound(to: Float.self), output_stride: strides.output, log_sums: nil)
      for first in Swift.stride(from: 0, to: queries, by: tile) {
        kernel.pointee.run(&attention, first, min(tile, queries - first), scratch.pointer)
      }
      let all = output.floats
      return (
        (0..<queries * width).map { Double(all[$0 / width * strides.output + $0 % width]) },
        all.indices.allSatisfy { $0 % strides.output < width || all[$0] == -7 }
      )
    }
  }

  /// `bf16` and `i16`: the largest errors where products are in them; values lie in -1...1.
  private func expectClose(
    _ problem: Problem, f32: Double = 2e-6, bf16: Double = 0.02, i16: Double = 1e-3, _ label: String
  ) {
    let expected = problem.expected()
    for kernel in Self.kernels {
      let (values, cleanGaps) = problem.run(kernel)
      // Not max(), which passes over NaN.
      let worst = zip(values, expected).reduce(0.0) {
        let error = abs($1.0 - $1.1)
        return error <= $0 ? $0 : error
      }
      let bound = [INV_ATTENTION_F32: f32, INV_ATTENTION_BF16: bf16, INV_ATTENTION_I16: i16][kernel.pointee.precision]
      #expect(worst <= bound ?? 0 && cleanGaps, "\(String(cString: kernel.pointee.name)), \(label): off by \(worst)")
    }
  }

  @Test func eachPrecisionHasItsKernels() {
    let names = Self.kernels.map { String(cString: $0.pointee.name) }
    #expect(names.suffix(2) == ["f32_8x4__scalar", "i16_8x4__scalar"])
    #expect(attentionKernelName(.f32).hasPrefix("f32_"))
    // The twin of int16 is slower than f32 everywhere.
    #expect(attentionKernelName(.sixteenBits) != "i16_8x4__scalar")
  }

  @Test(arguments: [1, 15, 16, 17, 77, 100], [1, 8, 40])
  func tileEdges(queries: Int, width: Int) {
    for keys in [1, 2, 3, 5, 63, 64, 65, 77, 129] {
      expectClose(Problem(queries: queries, keys: keys, width: width), "\(queries) x \(keys) x \(width)")
    }
  }

  @Test(arguments: [3, 7, 64, 80, 160, 512])
  func widths(width: Int) {
    expectClose(Problem(queries: 67, keys: 77, width: width), "67 x 77 x \(width)")
    expectClose(Problem(queries: 17, keys: 200, width: width), "17 x 200 x \(width)")
  }

  @Test(arguments: [1, 2, 15, 16, 17, 64, 65, 77, 130])
  func causal(tokens: Int) {
    expectClose(Problem(queries: tokens, keys: tokens, width: 16, causal: true), "\(tokens) tokens")
    expectClose(Problem(queries: tokens, keys: 9, width: 16, causal: true), "\(tokens) queries of 9 keys")
  }

  /// Scores of +-10^4: their powers must not overflow, and a later tile's maximum must replace an earlier one. bf16
  /// rounds such scores by tens, so that it may choose another key; only its range is checked. int16 rounds them
  /// by some hundredths, which shows where two keys have nearly equal scores.
  @Test func largeScores() {
    let problem = Problem(queries: 33, keys: 200, width: 8, largest: 36, scale: 1)
    expectClose(problem, f32: 2e-3, bf16: 2, i16: 0.05, "large scores")
    for kernel in Self.kernels {
      let (values, _) = problem.run(kernel)
      #expect(values.allSatisfy { abs($0) <= 1.01 }, "\(String(cString: kernel.pointee.name))")
    }
  }

  /// Scores that rise from key to key: powers above 1, then a new unit, within a tile and across tiles.
  @Test(arguments: [Float(0.03), 0.3, 3])
  func risingScores(slope: Float) {
    // So few keys that bf16 holds their numbers.
    var problem = Problem(queries: 5, keys: 250, width: 3, scale: slope)
    problem.q = problem.q.map { _ in 1 }
    problem.k = problem.k.indices.map { Float($0 / problem.strides.k) }
    expectClose(problem, f32: 1e-4, "slope \(slope)")
  }

  /// Equal scores give the mean of the values, whatever the tiles; very negative ones do so too.
  @Test func oneKeyIsCopiedAndEqualScoresAverage() {
    expectClose(Problem(queries: 20, keys: 1, width: 5, scale: -1e4), bf16: 0.005, "one key")
    expectClose(Problem(queries: 20, keys: 150, width: 5, scale: 0), bf16: 0.005, "equal scores")
  }

  /// Batches, heads inside wider rows, and the same bits on any number of threads.
  @Test func wholeAttention() {
    let shape = AttentionShape(batch: 2, queries: 130, keys: 90, heads: 3, width: 24)
    let channels = 72
    let stride = 3 * channels
    var numbers = SeededGenerator(state: 5)
    let rows = (0..<2 * 130 * stride).map { _ in Float.random(in: -2...2, using: &numbers) }
    let pool = BufferPool()
    for precision in [AttentionPrecision.f32, .sixteenBits] {
      let results = [1, 2, 3].map { threads -> [Float] in
        Parallel.threads = threads
        defer { Parallel.threads = 0 }
        var output = [Float](repeating: 0, count: 2 * 130 * channels)
        rows.withUnsafeBytes { rows in
          guard let base = rows.baseAddress else { return }
          flashAttention(
            q: HeadRows(base, stride: stride), k: HeadRows(base + channels * 4, stride: stride),
            v: HeadRows(base + 2 * channels * 4, stride: stride), shape, precision, into: &output, stride: channels,
            pool: pool)
        }
        return output
      }
      #expect(results[0] == results[1] && results[0] == results[2])
      // The last query of the last head of the second image.
      let (image, head, query) = (1, 2, 129)
      func row(_ part: Int, _ index: Int) -> [Double] {
        rows[(index * stride + part * channels + head * 24)...].prefix(24).map(Double.init)
      }
      let own = row(0, image * 130 + query)
      let weights = (0..<90).map { key in
        exp(zip(own, row(1, image * 90 + key)).reduce(0.0) { $0 + $1.0 * $1.1 } / 24.0.squareRoot())
      }
      let values = (0..<90).map { row(2, image * 90 + $0) }
      let largestError: Double = precision == .sixteenBits ? 0.02 : 4e-6
      for channel in 0..<24 {
        let sum = zip(weights, values).reduce(0.0) { $0 + $1.0 * $1.1[channel] }
        let got = Double(results[0][(image * 130 + query) * channels + head * 24 + channel])
        #expect(abs(got - sum / weights.reduce(0, +)) <= largestError)
      }
    }
  }
}
