import Testing

@testable import Ops

/// Reproducible numbers in -1...1 for tests (xorshift).
struct TestNumbers {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> Double {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Double(state >> 11) / Double(1 << 53) * 2 - 1
  }

  mutating func array(_ count: Int) -> [Double] { (0..<count).map { _ in next() } }
}

/// Compares the tape's input gradients with central differences in Double, along a random direction for each input.
///
/// The loss is a random linear functional of all outputs, so every output element takes part.
func expectGradients(
  _ name: String, _ shapes: [[Int]], tolerance: Double = 1e-6, step: Double = 1e-5,
  _ op: (Tape, [Activation]) -> [Activation]
) {
  var numbers = TestNumbers(seed: UInt64(name.utf8.reduce(7) { $0 &* 31 &+ Int($1) } & 0xFFFF))
  let values = shapes.map { numbers.array($0.reduce(1, *)) }

  func outputs(_ tape: Tape, _ values: [[Double]]) -> ([Activation], [Activation]) {
    let inputs = zip(shapes, values).map { tape.variable($0, $1) }
    return (inputs, op(tape, inputs))
  }
  let tape = Tape(dtype: .f64, recording: true)
  let (inputs, results) = outputs(tape, values)
  let weights = results.map { numbers.array($0.count) }
  tape.backward(zip(results, weights).map { ($0, tape.variable($0.shape, $1)) })

  func loss(_ values: [[Double]]) -> Double {
    let (_, results) = outputs(Tape(dtype: .f64, recording: true), values)
    return zip(results, weights).reduce(0) { sum, pair in
      sum + zip(pair.0.doubles, pair.1).reduce(0) { $0 + $1.0 * $1.1 }
    }
  }
  for (index, input) in inputs.enumerated() {
    guard let gradient = tape.gradient(of: input)?.doubles else {
      Issue.record("\(name): input \(index) has no gradient")
      continue
    }
    let direction = numbers.array(values[index].count)
    func moved(_ distance: Double) -> [[Double]] {
      var copy = values
      for element in direction.indices { copy[index][element] += distance * direction[element] }
      return copy
    }
    let numeric = (loss(moved(step)) - loss(moved(-step))) / (2 * step)
    let exact = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    let scale = max(abs(numeric), abs(exact), 1e-3)
    #expect(
      abs(numeric - exact) <= tolerance * scale,
      "\(name), input \(index): differences give \(numeric), the tape \(exact)")
  }
}
