/// All that the rest of a training depends on, besides its settings, pictures and model.
struct TrainingState: Sendable, Equatable, Codable {
  var step = 0
  var optimizer: OptimizerState
  var source = BatchSource.State()
  var average: MovingAverage?
  var stopping = EarlyStopping()
  var guarding: DivergenceGuard
  var hasStopped = false
  var record: TrainingRecord
}

/// Takes the vectors back to where all was finite when a loss or gradient is not, and halves the steps from there on.
struct DivergenceGuard: Sendable, Equatable, Codable {
  /// The last state that was kept.
  private(set) var kept: OptimizerState
  private(set) var rollBacks = 0

  static let rollBackLimit = 3
  /// Steps between states that are kept.
  private static let interval = 10

  init(_ state: OptimizerState) { kept = state }

  var hasGivenUp: Bool { rollBacks > Self.rollBackLimit }
  /// What the learning rate is multiplied by.
  var rateFactor: Double { 1 / Double(1 << min(rollBacks, Self.rollBackLimit)) }

  mutating func keep(_ state: OptimizerState, step: Int) {
    if step % Self.interval == 0 { kept = state }
  }

  mutating func rollBack() -> OptimizerState {
    rollBacks += 1
    return kept
  }
}
