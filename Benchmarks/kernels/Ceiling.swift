import Kernels

/// What all threads together reach with one kind of instruction, from registers alone.
struct Ceiling {
  private let loop: @Sendable (Int) -> Double
  private let rounds: Int
  private static let turn = Duration.milliseconds(10)

  /// `loop` takes a number of rounds and answers with the operations of those, 0 where the processor lacks the
  /// instructions: then nil.
  init?(_ loop: @escaping @Sendable (Int) -> Double) {
    guard loop(1) > 0 else { return nil }
    self.loop = loop
    let trial = 100_000
    let time = ContinuousClock().measure { _ = loop(trial) }
    rounds = max(trial, Int(Double(trial) * (Self.turn / time)))
  }

  /// 10^9 operations a second of one turn.
  func rate() -> Double {
    let time = ContinuousClock().measure { Parallel.forEach(Parallel.threads) { _ in _ = loop(rounds) } }
    // The loop counts by its rounds alone, so one of them tells the operations of all.
    return loop(1) * Double(rounds * Parallel.threads) / (time / .nanoseconds(1))
  }

  /// The best of several turns: other work can only slow it down.
  func best() -> Double { (0..<9).map { _ in rate() }.max() ?? 0 }
}
