import Foundation

/// How far a computation is from what it should give: the power of the signal over that of the difference.
struct SignalToNoise: Sendable {
  private var signal = 0.0
  private var noise = 0.0

  /// More than f32 can show: what stands for no difference at all.
  private static let most = 200.0

  /// In dB; nil before anything was added.
  var decibels: Double? { signal > 0 ? min(Self.most, 10 * log10(signal / noise)) : nil }

  mutating func add(_ actual: UnsafeBufferPointer<Float>, expected: UnsafeBufferPointer<Float>) {
    precondition(actual.count == expected.count)
    for index in actual.indices {
      let difference = Double(actual[index] - expected[index])
      signal += Double(expected[index]) * Double(expected[index])
      noise += difference * difference
    }
  }

  mutating func add(_ actual: [Float], expected: [Float]) {
    actual.withUnsafeBufferPointer { actual in
      expected.withUnsafeBufferPointer { add(actual, expected: $0) }
    }
  }
}
