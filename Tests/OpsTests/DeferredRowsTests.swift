import Kernels
import Tensors
import Testing

@testable import Ops

/// Ops that wait for their reader against the same ops with every result made at once.
@Suite struct DeferredRowsTests {
  private static let pool = BufferPool()

  private static func numbers(_ count: Int, seed: Int, offset: Float = 0) -> [Float] {
    (0..<count).map { Float(($0 * 7919 + seed * 104_729) % 2003) / 400 - 2.5 + offset }
  }

  private static func weight(_ shape: [Int], seed: Int) -> Weight {
    let values = numbers(shape.reduce(1, *), seed: seed)
    let buffer = pool.allocate(byteCount: values.count * 4)
    buffer.pointer.copyMemory(from: values, byteCount: values.count * 4)
    return Weight(pointer: buffer.pointer, dtype: .f32, shape: shape, owner: buffer)
  }

  private static func int8(_ shape: [Int], seed: Int) -> LayerWeight {
    .int8(PackedWeight(weight(shape, seed: seed), pool: pool))
  }

  private static func norm(_ channels: Int) -> NormParameters {
    NormParameters(weight: weight([channels], seed: 3), bias: weight([channels], seed: 4), eps: 1e-5)
  }

  private func input(_ shape: [Int], seed: Int, offset: Float = 0, on tape: Tape) -> Activation {
    tape.constant(shape, Self.numbers(shape.reduce(1, *), seed: seed, offset: offset))
  }

  /// Runs `body` twice, the second time with each intermediate result made at once, and compares.
  private func expectSame(
    tolerance: Float = 1e-6, _ label: String, _ body: (Tape, (Activation) -> Activation) -> Activation
  ) {
    let tape = Tape(recording: false)
    let fused = body(tape) { $0 }
    let plain = body(tape) { activation in
      _ = activation.pointer
      return activation
    }
    let scale = plain.floats.map(abs).max() ?? 1
    let worst = zip(fused.floats, plain.floats).map { abs($0 - $1) }.max() ?? 0
    #expect(fused.shape == plain.shape && scale > 0 && worst <= tolerance * scale, "\(label): off by \(worst / scale)")
  }

  @Test(arguments: [8, 12, 40], [false, true]) func groupNormThenConvolution(channels: Int, silu: Bool) {
    let layer = Conv2d(
      weight: Self.int8([33, 3, 3, channels], seed: 1), bias: Self.weight([33], seed: 2), padding: (1, 1))
    let norm = Self.norm(channels)
    expectSame("\(channels), silu \(silu)") { tape, made in
      let x = input([2, 5, 6, channels], seed: 5, on: tape)
      let h = made(tape.groupNorm(x, norm, groups: 4))
      return made(tape.conv2d(silu ? made(tape.silu(h)) : h, layer))
    }
  }

  /// A group straddles the border of the parts; each part keeps row scales of its own, so that int8 differs a little
  /// from one scale for both.
  @Test func sideBySide() {
    let (a, b) = (8, 16)
    let norm = Self.norm(a + b)
    let layer = Conv2d(weight: Self.int8([40, 3, 3, a + b], seed: 1), bias: nil, padding: (1, 1))
    let shortcut = Conv2d(weight: Self.int8([40, 1, 1, a + b], seed: 6), bias: nil, padding: (0, 0))
    expectSame(tolerance: 0.01, "concatenated") { tape, made in
      let x = made(
        tape.concatChannels(input([2, 4, 4, a], seed: 7, on: tape), input([2, 4, 4, b], seed: 8, on: tape)))
      let h = made(tape.conv2d(made(tape.silu(made(tape.groupNorm(x, norm, groups: 2)))), layer))
      return made(tape.add(made(tape.conv2d(x, shortcut)), h))
    }
    expectSame(
      "an odd number of channels",
      { tape, made in
        let x = tape.concatChannels(input([1, 4, 4, 7], seed: 7, on: tape), input([1, 4, 4, 17], seed: 8, on: tape))
        return made(tape.conv2d(made(tape.groupNorm(made(x), norm, groups: 2)), layer))
      })
  }

  @Test func doubledPicture() {
    let layer = Conv2d(weight: Self.int8([20, 3, 3, 12], seed: 1), bias: Self.weight([20], seed: 2), padding: (1, 1))
    expectSame("doubled") { tape, made in
      made(tape.conv2d(made(tape.upsampleNearest2x(input([2, 3, 5, 12], seed: 9, on: tape))), layer))
    }
  }

  @Test func whatIsAddedToAProduct() {
    let layer = Conv2d(weight: Self.int8([20, 3, 3, 8], seed: 1), bias: Self.weight([20], seed: 2), padding: (1, 1))
    expectSame("vector and residual") { tape, made in
      let product = made(tape.conv2d(input([2, 5, 5, 8], seed: 1, on: tape), layer))
      let moved = made(tape.addToRows(product, input([2, 20], seed: 2, on: tape)))
      return made(tape.add(input([2, 5, 5, 20], seed: 3, on: tape), moved))
    }
  }

  @Test(arguments: [1, 3, 1500]) func gated(rows: Int) {
    let wide = Linear(weight: Self.int8([2 * 64, 16], seed: 1), bias: Self.weight([128], seed: 2))
    let back = Linear(weight: Self.int8([16, 64], seed: 3), bias: Self.weight([16], seed: 4))
    expectSame("\(rows) rows") { tape, made in
      let x = input([1, rows, 16], seed: 5, on: tape)
      let h = made(tape.linear(made(tape.geglu(made(tape.linear(x, wide)))), back))
      return made(tape.add(made(h), x))
    }
  }

  @Test func layerNormThenLinear() {
    let layer = Linear(weight: Self.int8([24, 20], seed: 1), bias: nil)
    let norm = Self.norm(20)
    // Statistics are summed in another order, which moves single values across the edge of an int8 step.
    expectSame(tolerance: 0.01, "layer norm") { tape, made in
      made(tape.linear(made(tape.layerNorm(input([3, 7, 20], seed: 5, on: tape), norm)), layer))
    }
  }

  /// The statistics by channel sums against the recorded op's, far from zero too.
  @Test(arguments: [0, 1000]) func groupNormStatistics(offset: Float) {
    let (tape, recorded) = (Tape(recording: false), Tape(recording: true))
    let norm = Self.norm(24)
    let parts = [8, 16].map { input([2, 9, 11, $0], seed: $0, offset: offset, on: tape) }
    let deferred = tape.groupNorm(tape.concatChannels(parts[0], parts[1]), norm, groups: 2).floats
    let whole = recorded.groupNorm(recorded.concatChannels(parts[0], parts[1]), norm, groups: 2).floats
    let worst = zip(deferred, whole).map { abs($0 - $1) }.max() ?? 0
    #expect(worst <= (offset == 0 ? 2e-6 : 2e-3) * (whole.map(abs).max() ?? 0), "off by \(worst)")
  }

  @Test func reshapedRowsStayDeferred() {
    let layer = Linear(weight: Self.int8([8, 8], seed: 1), bias: nil)
    expectSame("reshaped") { tape, made in
      let x = input([2, 3, 3, 8], seed: 2, on: tape)
      let tokens = made(tape.reshape(made(tape.groupNorm(x, Self.norm(8), groups: 2)), [2, 9, 8]))
      return made(tape.add(made(tape.reshape(made(tape.linear(tokens, layer)), x.shape)), x))
    }
  }
}
