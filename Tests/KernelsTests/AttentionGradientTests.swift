import CKernels
import Glibc
import Kernels
import Tensors
import TestSupport
import Testing

/// Every attention gradient of this machine against formulas in f64 with a whole matrix of scores: at tile edges, with
/// large scores, with a guard page after each buffer.
@Suite struct AttentionGradientTests {
  typealias Problem = AttentionTests.Problem

  /// dQ, dK and dV, each (tokens, width).
  struct Gradients {
    var parts: [[Double]]
    static let names = ["dQ", "dK", "dV"]
  }

  private static func outputGradient(_ problem: Problem) -> [Float] {
    var numbers = SeededGenerator(state: UInt64(problem.queries))
    return (0..<problem.queries * problem.width).map { _ in Float.random(in: -1...1, using: &numbers) }
  }

  private static func expected(_ a: Problem, _ dy: [Float]) -> Gradients {
    let (width, scale) = (a.width, Double(a.scale))
    func row(_ values: [Float], _ index: Int, _ stride: Int) -> [Double] {
      values[(index * stride)...].prefix(width).map(Double.init)
    }
    func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    var dq = [Double](repeating: 0, count: a.queries * width)
    var dk = [Double](repeating: 0, count: a.keys * width)
    var dv = dk
    let keys = (0..<a.keys).map { row(a.k, $0, a.strides.k) }
    let values = (0..<a.keys).map { row(a.v, $0, a.strides.v) }
    for query in 0..<a.queries {
      let (own, slope) = (row(a.q, query, a.strides.q), row(dy, query, width))
      let seen = 0..<(a.causal ? min(query + 1, a.keys) : a.keys)
      let scores = seen.map { product(own, keys[$0]) * scale }
      let most = scores.max() ?? 0
      let sum = scores.reduce(0) { $0 + exp($1 - most) }
      let p = scores.map { exp($0 - most) / sum }
      let dp = seen.map { product(slope, values[$0]) }
      let mean = product(p, dp)
      for key in seen {
        let ds = p[key] * (dp[key] - mean) * scale
        for c in 0..<width {
          dq[query * width + c] += ds * keys[key][c]
          dk[key * width + c] += ds * own[c]
          dv[key * width + c] += p[key] * slope[c]
        }
      }
    }
    return Gradients(parts: [dq, dk, dv])
  }

  /// What `kernel` makes of it, and whether it left alone what lies between the rows of dK.
  private static func run(
    _ a: Problem, _ dy: [Float], _ kernel: UnsafePointer<inv_attention_ukernel>
  ) -> (Gradients, cleanGaps: Bool) {
    let (form, tile, width) = (kernel.pointee.precision, kernel.pointee.queries, a.width)
    let (q, k, v, slope) = (GuardedBuffer(a.q), GuardedBuffer(a.k), GuardedBuffer(a.v), GuardedBuffer(dy))
    let packed = GuardedBuffer(byteCount: inv_attention_packed_bytes(form, a.keys, width))
    let scratch = GuardedBuffer(byteCount: inv_attention_scratch_bytes(kernel, width))
    let y = GuardedBuffer(byteCount: a.queries * width * 4)
    let logSums = GuardedBuffer(byteCount: a.queries * 4)
    func floats(_ buffer: GuardedBuffer) -> UnsafeMutablePointer<Float> {
      buffer.pointer.assumingMemoryBound(to: Float.self)
    }
    inv_attention_pack(form, a.keys, width, floats(k), a.strides.k, floats(v), a.strides.v, packed.pointer)
    var attention = inv_attention(
      queries: a.queries, keys: a.keys, width: width, scale: a.scale, causal: a.causal ? 1 : 0, q: floats(q),
      q_stride: a.strides.q, packed: packed.pointer, output: floats(y), output_stride: width,
      log_sums: floats(logSums))
    for first in Swift.stride(from: 0, to: a.queries, by: tile) {
      kernel.pointee.run(&attention, first, min(tile, a.queries - first), scratch.pointer)
    }
    let work = GuardedBuffer(byteCount: inv_attention_gradient_scratch_bytes(kernel, a.queries, width))
    // Of NaN: nothing may be read before it is written.
    memset(work.pointer, 0xFF, work.byteCount)
    let dkStride = width + 2
    let dk = GuardedBuffer([Float](repeating: -7, count: (a.keys - 1) * dkStride + width))
    let (dq, dv) = (GuardedBuffer(byteCount: a.queries * width * 4), GuardedBuffer(byteCount: a.keys * width * 4))
    var gradient = inv_attention_gradient(
      queries: a.queries, keys: a.keys, width: width, scale: a.scale, causal: a.causal ? 1 : 0, q: floats(q),
      k: floats(k), v: floats(v), y: floats(y), dy: floats(slope), q_stride: a.strides.q, k_stride: a.strides.k,
      v_stride: a.strides.v, y_stride: width, dy_stride: width, log_sums: floats(logSums), dq: floats(dq),
      dk: floats(dk), dv: floats(dv), dq_stride: width, dk_stride: dkStride, dv_stride: width)
    kernel.pointee.gradient(&gradient, work.pointer)
    let wide = dk.floats
    let rows = (0..<a.keys * width).map { Double(wide[$0 / width * dkStride + $0 % width]) }
    return (
      Gradients(parts: [dq.floats.map(Double.init), rows, dv.floats.map(Double.init)]),
      wide.indices.allSatisfy { $0 % dkStride < width || wide[$0] == -7 }
    )
  }

  /// Norms of errors relative to those of the gradients; `floor` is the norm below which a gradient counts as none.
  private func expectClose(
    _ problem: Problem, f32: Double = 1e-5, bf16: Double = 0.01, i16: Double = 2e-3, floor: Double = 1e-3,
    _ label: String
  ) {
    let dy = Self.outputGradient(problem)
    let expected = Self.expected(problem, dy)
    for kernel in AttentionTests.kernels {
      let (gradients, cleanGaps) = Self.run(problem, dy, kernel)
      let bounds = [INV_ATTENTION_F32: f32, INV_ATTENTION_BF16: bf16, INV_ATTENTION_I16: i16]
      let bound = bounds[kernel.pointee.precision] ?? 0
      for (name, (got, wanted)) in zip(Gradients.names, zip(gradients.parts, expected.parts)) {
        let error = zip(got, wanted).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        let norm = max(floor, wanted.reduce(0) { $0 + $1 * $1 }.squareRoot())
        #expect(
          error <= bound * norm && cleanGaps,
          "\(String(cString: kernel.pointee.name)), \(label), \(name): off by \(error / norm)")
      }
    }
  }

  @Test(arguments: [1, 3, 63, 64, 65, 129], [1, 20])
  func tileEdges(queries: Int, width: Int) {
    for keys in [1, 15, 17, 33, 64, 77] {
      expectClose(
        Problem(queries: queries, keys: keys, width: width), bf16: width < 8 ? 0.05 : 0.02,
        i16: width < 8 ? 5e-3 : 2e-3, floor: 1, "\(queries) x \(keys) x \(width)")
    }
  }

  @Test(arguments: [3, 7, 17, 64, 80, 160])
  func widths(width: Int) {
    expectClose(Problem(queries: 67, keys: 77, width: width), bf16: 0.02, "67 x 77 x \(width)")
  }

  @Test(arguments: [1, 2, 15, 16, 17, 64, 65, 77, 130])
  func causal(tokens: Int) {
    let bf16 = 0.02
    expectClose(
      Problem(queries: tokens, keys: tokens, width: 16, causal: true), bf16: bf16, floor: 1, "\(tokens) tokens")
    for keys in [9, 90] {
      expectClose(
        Problem(queries: tokens, keys: keys, width: 16, causal: true), bf16: bf16, floor: 1,
        "\(tokens) queries of \(keys) keys")
    }
  }

  /// Scores up to about 30: bf16 rounds them by up to 0.1 and so the weights by some per cent, which leaves a cosine of
  /// at least 0.999.
  @Test func largeScores() {
    expectClose(
      Problem(queries: 150, keys: 200, width: 40, largest: 3.9), f32: 2e-5, bf16: 0.044, "scores of 30")
  }

  /// One key has all weight but half a per cent: the gradients of the scores are differences of nearly equal values.
  @Test func oneKeyHasNearlyAllWeight() {
    var problem = Problem(queries: 100, keys: 100, width: 16, largest: 1)
    for query in 0..<problem.queries { problem.q[query * problem.strides.q] = 10 }
    for key in 0..<problem.keys { problem.k[key * problem.strides.k] = key == 70 ? 4 : 0 }
    expectClose(problem, f32: 1e-3, bf16: 0.044, i16: 0.02, "one key")
  }

  /// Where a query sees one key, only its value matters.
  @Test func oneKeyHasAllWeight() {
    let problem = Problem(queries: 70, keys: 1, width: 5)
    let dy = Self.outputGradient(problem)
    for kernel in AttentionTests.kernels {
      let (gradients, _) = Self.run(problem, dy, kernel)
      #expect(gradients.parts[0].allSatisfy { abs($0) <= 1e-3 }, "\(String(cString: kernel.pointee.name))")
    }
  }

  /// Batches, heads inside wider rows, and the same bits on any number of threads.
  @Test func wholeGradient() {
    let shape = AttentionShape(batch: 2, queries: 130, keys: 90, heads: 3, width: 24)
    let (channels, stride) = (72, 100)
    let pool = BufferPool()
    var numbers = SeededGenerator(state: 5)
    let rows = (0..<4).map { _ in (0..<2 * 130 * stride).map { _ in Float.random(in: -2...2, using: &numbers) } }
    for precision in [AttentionPrecision.f32, .sixteenBits] {
      let results = [1, 2, 3].map { threads -> [[Float]] in
        Parallel.threads = threads
        defer { Parallel.threads = 0 }
        let inputs = rows.map(GuardedBuffer.init)
        let made = [260, 180, 180].map { GuardedBuffer(byteCount: $0 * channels * 4) }
        let (y, logSums) = (GuardedBuffer(byteCount: 260 * channels * 4), GuardedBuffer(byteCount: 6 * 130 * 4))
        // An array's elements may die with its last use.
        withExtendedLifetime(inputs) {
          let operands = inputs.map { HeadRows($0.pointer, stride: stride) }
          flashAttention(
            q: operands[0], k: operands[1], v: operands[2], shape, precision, into: y.pointer, stride: channels,
            logSums: logSums.pointer, pool: pool)
          flashAttentionGradients(
            q: operands[0], k: operands[1], v: operands[2], y: HeadRows(y.pointer, stride: channels), dy: operands[3],
            logSums: logSums.pointer, shape, precision, into: (made[0].pointer, made[1].pointer, made[2].pointer),
            pool: pool)
        }
        return made.map(\.floats)
      }
      #expect(results[0] == results[1] && results[0] == results[2])
      // The last head of the second image alone.
      func head(_ part: Int, _ tokens: Int) -> [Float] { Array(rows[part][(tokens * stride + 48)...]) }
      var problem = Problem(queries: 130, keys: 90, width: 24)
      (problem.q, problem.k, problem.v) = (head(0, 130), head(1, 90), head(2, 90))
      problem.strides = (stride, stride, stride, 0)
      let slope = (0..<130 * 24).map { rows[3][(130 + $0 / 24) * stride + 48 + $0 % 24] }
      let expected = Self.expected(problem, slope)
      let most = precision == .sixteenBits ? 0.05 : 1e-5
      for (part, tokens) in [(0, 130), (1, 90), (2, 90)] {
        let worst = (0..<tokens * 24).map { element in
          abs(
            Double(results[0][part][(tokens + element / 24) * channels + 48 + element % 24])
              - expected.parts[part][element])
        }
        #expect(worst.allSatisfy { $0 <= most }, "\(Gradients.names[part]): off by \(worst.max() ?? 0)")
      }
    }
  }
}
