import Kernels
import Tensors
import Testing

@testable import Ops

/// The way back through int8 layers against that through f32 layers with the same weights. The numbers are chosen so
/// that quantisation loses nothing: integers, with 127 in every row.
@Suite struct QuantisedGradientTests {
  private static let pool = BufferPool()

  private static func integers(_ shape: [Int], seed: Int) -> [Float] {
    let row = shape.dropFirst().reduce(1, *)
    return (0..<shape[0] * row).map { $0 % row == 0 ? 127 : Float(($0 * 7919 + seed * 31) % 255) - 127 }
  }

  private static func weight(_ shape: [Int]) -> Weight {
    let values = integers(shape, seed: 1)
    let buffer = pool.allocate(byteCount: values.count * 4)
    buffer.pointer.copyMemory(from: values, byteCount: values.count * 4)
    return Weight(pointer: buffer.pointer, dtype: .f32, shape: shape, owner: buffer)
  }

  /// The gradient of x by an op with output `shape`, for an output gradient of integers with 127 in each row.
  private func gradient(
    _ x: [Int], straightThrough: Bool = false, recomputes: Bool = false,
    _ op: @escaping (Tape, Activation) -> Activation
  ) -> [Float] {
    let tape = Tape(recording: true)
    tape.isStraightThrough = straightThrough
    let leaf = tape.variable(x, Self.integers([x.dropLast().reduce(1, *), x[x.count - 1]], seed: 3).map(Double.init))
    let y = recomputes ? tape.checkpoint([leaf]) { [op($0, $1[0])] }[0] : op(tape, leaf)
    tape.backward([(y, tape.constant(y.shape, Self.integers([y.rows, y.channels], seed: 2)))])
    return tape.gradient(of: leaf)?.floats ?? []
  }

  private func expectEqual(_ a: [Float], _ b: [Float], _ label: String) {
    let scale = b.map(abs).max() ?? 0
    let worst = zip(a, b).map { abs($0 - $1) }.max() ?? .infinity
    #expect(a.count == b.count && scale > 0 && worst <= 2e-6 * scale, "\(label): off by \(worst) of \(scale)")
  }

  @Test(arguments: [(1, 5, 7), (13, 40, 33), (200, 64, 96), (5, 100, 640), (3, 33, 4)])
  func linear(rows: Int, inputs: Int, outputs: Int) {
    let weight = Self.weight([outputs, inputs])
    let packed = Linear(weight: .int8(PackedWeight(weight, pool: Self.pool)), bias: nil)
    let dense = Linear(weight: weight, bias: nil)
    let expected = gradient([1, rows, inputs]) { $0.linear($1, dense) }
    expectEqual(gradient([1, rows, inputs]) { $0.linear($1, packed) }, expected, "\(rows)x\(inputs)x\(outputs)")
    expectEqual(
      gradient([1, rows, inputs], straightThrough: true) { $0.linear($1, packed) }, expected, "straight through")
    expectEqual(gradient([1, rows, inputs], recomputes: true) { $0.linear($1, packed) }, expected, "recomputed")
  }

  @Test(arguments: [(3, 1, 1, 1), (3, 2, 1, 1), (3, 2, 0, 1), (1, 1, 0, 0), (5, 1, 2, 2), (3, 3, 1, 1)])
  func conv2d(kernel: Int, stride: Int, leading: Int, trailing: Int) {
    for (batch, height, width, inputs, outputs) in [(2, 8, 6, 5, 7), (1, 7, 9, 24, 40), (3, 16, 16, 16, 64)] {
      let weight = Self.weight([outputs, kernel, kernel, inputs])
      func layer(_ weight: LayerWeight) -> Conv2d {
        Conv2d(weight: weight, bias: nil, stride: stride, padding: (leading, trailing))
      }
      let (packed, dense) = (layer(.int8(PackedWeight(weight, pool: Self.pool))), layer(.dense(weight)))
      let shape = [batch, height, width, inputs]
      let label = "\(shape) to \(outputs), kernel \(kernel), stride \(stride)"
      let expected = gradient(shape) { $0.conv2d($1, dense) }
      expectEqual(gradient(shape) { $0.conv2d($1, packed) }, expected, label)
      expectEqual(gradient(shape, straightThrough: true) { $0.conv2d($1, packed) }, expected, "\(label), straight")
    }
  }

  /// f16 holds these integers exactly.
  @Test func halfLayers() {
    func half(_ weight: Weight) -> Weight {
      let narrow = Self.pool.allocate(byteCount: weight.count * 2)
      let isDone = convert(count: weight.count, from: weight.pointer, as: .f32, to: narrow.pointer, as: .f16)
      #expect(isDone)
      return Weight(pointer: narrow.pointer, dtype: .f16, shape: weight.shape, owner: narrow)
    }
    let (linear, conv) = (Self.weight([9, 12]), Self.weight([6, 3, 3, 8]))
    expectEqual(
      gradient([1, 5, 12]) { $0.linear($1, Linear(weight: .half(half(linear)), bias: nil)) },
      gradient([1, 5, 12]) { $0.linear($1, Linear(weight: linear, bias: nil)) }, "linear")
    expectEqual(
      gradient([2, 4, 4, 8]) { $0.conv2d($1, Conv2d(weight: .half(half(conv)), bias: nil, padding: (1, 1))) },
      gradient([2, 4, 4, 8]) { $0.conv2d($1, Conv2d(weight: conv, bias: nil, padding: (1, 1))) }, "convolution")
  }

  @Test func marksOnTheWayBack() {
    let tape = Tape(recording: true)
    let x = tape.variable([1, 4], [1, 2, 3, 4])
    var passed: [String] = []
    let early = tape.onTheWayBack(tape.silu(x)) { passed.append("early") }
    let late = tape.onTheWayBack(tape.silu(early)) { passed.append("late") }
    tape.backward([(late, gradient: tape.constant([1, 4], [1, 1, 1, 1]))])
    #expect(passed == ["late", "early"])
    let plain = Tape(recording: true)
    let same = plain.variable([1, 4], [1, 2, 3, 4])
    plain.backward([(plain.silu(plain.silu(same)), gradient: plain.constant([1, 4], [1, 1, 1, 1]))])
    #expect(tape.gradient(of: x)?.floats == plain.gradient(of: same)?.floats)
    let constant = tape.constant([1], [1])
    #expect(tape.onTheWayBack(constant) {} === constant)
  }
}
