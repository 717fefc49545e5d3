import Kernels
import Tensors
import Testing

@testable import Ops

/// The f32 tape's attention, whose gradient never makes a matrix of scores, against the f64 tape's, which does.
@Suite struct AttentionGradientTests {
  /// The output and the gradients of q, k and v.
  private func results(
    _ dtype: DType, queries: Int, keys: Int, causal: Bool = false, precision: AttentionPrecision
  ) throws -> [[Double]] {
    var numbers = TestNumbers(seed: 3)
    let tape = Tape(dtype: dtype, recording: true)
    let inputs = [queries, keys, keys].map { tape.variable([2, $0, 60], numbers.array(2 * $0 * 60).map { 2 * $0 }) }
    let y = tape.attention(inputs[0], inputs[1], inputs[2], heads: 3, causal: causal, precision: precision)
    tape.backward([(y, gradient: tape.variable(y.shape, numbers.array(y.count)))])
    return try [y.doubles] + inputs.map { try #require(tape.gradient(of: $0)).doubles }
  }

  private func cosine(_ a: [Double], _ b: [Double]) -> Double {
    func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    return product(a, b) / (product(a, a) * product(b, b)).squareRoot()
  }

  @Test(arguments: [(150, 150, true), (150, 150, false), (70, 77, false), (5, 3, false)])
  func f32AndBf16(queries: Int, keys: Int, causal: Bool) throws {
    let exact = try results(.f64, queries: queries, keys: keys, causal: causal, precision: .f32)
    let f32 = try results(.f32, queries: queries, keys: keys, causal: causal, precision: .f32)
    let bf16 = try results(.f32, queries: queries, keys: keys, causal: causal, precision: .sixteenBits)
    for index in exact.indices {
      let error = zip(f32[index], exact[index]).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
      let norm = exact[index].map { $0 * $0 }.reduce(0, +)
      #expect((error / norm).squareRoot() <= 1e-5, "part \(index)")
      #expect(cosine(bf16[index], exact[index]) >= 0.999, "part \(index)")
    }
  }

  /// A checkpoint's first run records nothing and its second does: both must see the same rows.
  @Test(arguments: [AttentionPrecision.f32, .sixteenBits])
  func recordingChangesNothing(precision: AttentionPrecision) {
    var numbers = TestNumbers(seed: 4)
    let values = (0..<3).map { _ in numbers.array(90 * 16) }
    func output(recording: Bool) -> [Float] {
      let tape = Tape(recording: recording)
      let inputs = values.map { values in
        recording ? tape.variable([1, 90, 16], values) : tape.constant([1, 90, 16], values.map(Float.init))
      }
      return tape.attention(inputs[0], inputs[1], inputs[2], heads: 2, precision: precision).floats
    }
    #expect(output(recording: true) == output(recording: false))
  }
}
