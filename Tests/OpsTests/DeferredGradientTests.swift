import Kernels
import Tensors
import Testing

@testable import Ops

/// The ways back of ops that wait for their reader: in f32 against the exact ops in f64, and through int8 layers
/// against the same ops with every result made at once.
@Suite struct DeferredGradientTests {
  private static let pool = BufferPool()

  private static func weight(_ shape: [Int], seed: UInt64, _ dtype: DType) -> Weight {
    var numbers = TestNumbers(seed: seed)
    let values = numbers.array(shape.reduce(1, *))
    let buffer = pool.allocate(byteCount: values.count * dtype.byteCount)
    if dtype == .f64 {
      buffer.pointer.copyMemory(from: values, byteCount: values.count * 8)
    } else {
      buffer.pointer.copyMemory(from: values.map(Float.init), byteCount: values.count * 4)
    }
    return Weight(pointer: buffer.pointer, dtype: dtype, shape: shape, owner: buffer)
  }

  private static func norm(_ channels: Int, _ dtype: DType) -> NormParameters {
    NormParameters(weight: weight([channels], seed: 5, dtype), bias: weight([channels], seed: 6, dtype), eps: 1e-5)
  }

  private static func int8(_ shape: [Int], seed: UInt64) -> LayerWeight {
    .int8(PackedWeight(weight(shape, seed: seed, .f32), pool: pool))
  }

  /// The gradients of inputs of these shapes, for an output gradient without a pattern.
  private func gradients(
    _ dtype: DType, _ shapes: [[Int]], savesInt8: Bool = false, _ op: (Tape, [Activation]) -> Activation
  ) -> [[Double]] {
    let tape = Tape(dtype: dtype, recording: true)
    tape.savesInt8 = savesInt8
    var numbers = TestNumbers(seed: 9)
    let inputs = shapes.map { tape.variable($0, numbers.array($0.reduce(1, *))) }
    let y = op(tape, inputs)
    let gradient = tape.variable(y.shape, numbers.array(y.count))
    tape.backward([(y, gradient)])
    return inputs.map { tape.gradient(of: $0)?.doubles ?? [] }
  }

  private func expectClose(_ ours: [[Double]], _ expected: [[Double]], within tolerance: Double, _ label: String) {
    for (input, (a, b)) in zip(ours, expected).enumerated() {
      let scale = b.map(abs).max() ?? 0
      let worst = zip(a, b).map { abs($0 - $1) }.max() ?? .infinity
      #expect(
        a.count == b.count && scale > 0 && worst <= tolerance * scale,
        "\(label), input \(input): off by \(worst / scale)")
    }
  }

  /// Groups of one part, and groups that straddle the border of two; an input that something else reads too.
  @Test(arguments: [false, true], [1, 3, 12]) func groupNorms(silu: Bool, groups: Int) {
    func one(_ tape: Tape, _ x: [Activation]) -> Activation {
      let h = tape.groupNorm(x[0], Self.norm(24, tape.dtype), groups: groups)
      return tape.add(silu ? tape.silu(h) : h, x[0])
    }
    func two(_ tape: Tape, _ x: [Activation]) -> Activation {
      let both = tape.concatChannels(x[0], x[1])
      let h = tape.groupNorm(both, Self.norm(24, tape.dtype), groups: groups)
      return tape.add(silu ? tape.silu(h) : h, tape.concatChannels(x[0], tape.reshape(x[1], x[1].shape)))
    }
    let label = "silu \(silu), \(groups) groups"
    let single = [[2, 5, 7, 24]]
    expectClose(gradients(.f32, single, one), gradients(.f64, single, one), within: 2e-6, label)
    let pair = [[2, 5, 7, 8], [2, 5, 7, 16]]
    expectClose(gradients(.f32, pair, two), gradients(.f64, pair, two), within: 2e-6, "\(label), two parts")
    let large = [[1, 24, 24, 24]]
    expectClose(
      gradients(.f32, large, savesInt8: true, one), gradients(.f64, large, one), within: 0.02, "\(label), kept in int8")
  }

  /// A constant beside an input: no gradient is made for it.
  @Test func groupNormOfAConstantPart() {
    func op(_ tape: Tape, _ x: [Activation]) -> Activation {
      let constant = tape.constant([1, 3, 3, 4], (0..<36).map { Float($0 % 7) - 3 })
      return tape.silu(
        tape.groupNorm(tape.concatChannels(constant, x[0]), Self.norm(12, tape.dtype), groups: 2))
    }
    expectClose(
      gradients(.f32, [[1, 3, 3, 8]], op), gradients(.f64, [[1, 3, 3, 8]], op), within: 2e-6, "constant part")
  }

  @Test func layerNorms() {
    func op(_ tape: Tape, _ x: [Activation]) -> Activation {
      tape.add(tape.layerNorm(x[0], Self.norm(20, tape.dtype)), x[0])
    }
    expectClose(gradients(.f32, [[2, 9, 20]], op), gradients(.f64, [[2, 9, 20]], op), within: 2e-6, "layer norm")
  }

  /// Runs `op` as it is, and with each intermediate result made at once.
  private func expectSame(
    _ shapes: [[Int]], within tolerance: Double = 1e-6, _ label: String,
    _ op: (Tape, [Activation], (Activation) -> Activation) -> Activation
  ) {
    for savesInt8 in [false, true] {
      let waiting = gradients(.f32, shapes, savesInt8: savesInt8) { op($0, $1) { $0 } }
      let made = gradients(.f32, shapes, savesInt8: savesInt8) { tape, x in
        op(tape, x) { activation in
          _ = activation.pointer
          return activation
        }
      }
      expectClose(waiting, made, within: tolerance, "\(label), int8 kept: \(savesInt8)")
    }
  }

  @Test func productsAndWhatIsAddedToThem() {
    let layer = Conv2d(
      weight: Self.int8([20, 3, 3, 8], seed: 1), bias: Self.weight([20], seed: 2, .f32), padding: (1, 1))
    let shortcut = Conv2d(weight: Self.int8([20, 1, 1, 8], seed: 3), bias: nil, padding: (0, 0))
    expectSame([[2, 5, 5, 8]], "resnet") { tape, x, made in
      let vector = tape.constant([2, 20], (0..<40).map { Float($0) / 20 })
      let moved = made(tape.addToRows(made(tape.conv2d(x[0], layer)), vector))
      return made(tape.add(made(tape.conv2d(x[0], shortcut)), moved))
    }
  }

  @Test func doubledPicture() {
    let layer = Conv2d(weight: Self.int8([20, 3, 3, 12], seed: 1), bias: nil, padding: (1, 1))
    expectSame([[2, 3, 5, 12]], "doubled") { tape, x, made in
      made(tape.conv2d(made(tape.upsampleNearest2x(x[0])), layer))
    }
  }

  /// More rows than are computed at once; each run of them is kept and goes back by itself.
  @Test(arguments: [3, 1500]) func gated(rows: Int) {
    let wide = Linear(weight: Self.int8([2 * 64, 16], seed: 1), bias: Self.weight([128], seed: 2, .f32))
    let back = Linear(weight: Self.int8([16, 64], seed: 3), bias: Self.weight([16], seed: 4, .f32))
    expectSame([[1, rows, 16]], "\(rows) rows") { tape, x, made in
      let h = made(tape.linear(x[0], wide))
      return made(tape.add(made(tape.linear(made(tape.geglu(h)), back)), x[0]))
    }
    // Gated rows that someone reads in f32 go back on their own.
    expectSame([[1, rows, 16]], "\(rows) rows in f32") { tape, x, made in
      let gated = made(tape.geglu(made(tape.linear(x[0], wide))))
      return made(tape.add(tape.silu(gated), gated))
    }
  }
}
