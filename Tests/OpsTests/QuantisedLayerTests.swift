import Kernels
import Tensors
import Testing

@testable import Ops

/// int8, f16 and bf16 layers against f32 ones with the very values that those stand for, so that only f32 rounding is
/// left.
@Suite struct QuantisedLayerTests {
  private static let pool = BufferPool()

  /// Integer weights with 127 in each output's row quantise to themselves.
  private static func weight(_ shape: [Int]) -> Weight {
    let row = shape.dropFirst().reduce(1, *)
    let values = (0..<shape[0] * row).map { index in
      index % row == 0 ? Float(127) : Float((index * 7919) % 255) - 127
    }
    let buffer = pool.allocate(byteCount: values.count * 4)
    buffer.pointer.copyMemory(from: values, byteCount: values.count * 4)
    return Weight(pointer: buffer.pointer, dtype: .f32, shape: shape, owner: buffer)
  }

  /// The weight in every narrower type, all of which hold its values.
  private static func narrowed(_ weight: Weight) -> [LayerWeight] {
    let halves = [DType.f16, .bf16].map { dtype -> LayerWeight in
      let buffer = pool.allocate(byteCount: weight.count * 2)
      precondition(convert(count: weight.count, from: weight.pointer, as: .f32, to: buffer.pointer, as: dtype))
      return .half(Weight(pointer: buffer.pointer, dtype: dtype, shape: weight.shape, owner: buffer))
    }
    return [.int8(PackedWeight(weight, pool: pool))] + halves
  }

  /// Rows of integers with 127 in each.
  private static func input(_ shape: [Int], on tape: Tape) -> Activation {
    let channels = shape[shape.count - 1]
    return tape.constant(
      shape,
      (0..<shape.reduce(1, *)).map { $0 % channels == 0 ? Float(127) : Float(($0 * 31) % 255) - 127 })
  }

  private func expectEqual(_ a: Activation, _ b: Activation, _ label: String) {
    let scale = b.floats.map(abs).max() ?? 1
    let worst = zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? 0
    #expect(a.shape == b.shape && worst <= 1e-5 * scale, "\(label): off by \(worst) of \(scale)")
  }

  @Test(arguments: [(1, 5, 7), (13, 40, 33), (200, 64, 96), (5, 100, 640), (2, 320, 1280)])
  func linear(rows: Int, inputs: Int, outputs: Int) {
    let tape = Tape(recording: false)
    let weight = Self.weight([outputs, inputs])
    let bias = Self.weight([outputs])
    let x = Self.input([1, rows, inputs], on: tape)
    for narrow in Self.narrowed(weight) {
      expectEqual(
        tape.linear(x, Linear(weight: narrow, bias: bias)), tape.linear(x, Linear(weight: weight, bias: bias)),
        "\(rows)x\(inputs)x\(outputs)")
    }
  }

  @Test(arguments: [(3, 1, 1, 1), (3, 2, 1, 1), (3, 2, 0, 1), (1, 1, 0, 0), (5, 1, 2, 2)])
  func conv2d(kernel: Int, stride: Int, leading: Int, trailing: Int) {
    let tape = Tape(recording: false)
    for (batch, height, width, inputs, outputs) in [(2, 8, 6, 5, 7), (1, 7, 9, 24, 40), (3, 16, 16, 16, 64)] {
      let weight = Self.weight([outputs, kernel, kernel, inputs])
      let x = Self.input([batch, height, width, inputs], on: tape)
      for narrow in Self.narrowed(weight) {
        expectEqual(
          tape.conv2d(x, Conv2d(weight: narrow, bias: nil, stride: stride, padding: (leading, trailing))),
          tape.conv2d(x, Conv2d(weight: weight, bias: nil, stride: stride, padding: (leading, trailing))),
          "\(batch)x\(height)x\(width)x\(inputs), kernel \(kernel), stride \(stride)")
      }
    }
  }
}
