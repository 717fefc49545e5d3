/// What a training has been like so far: the source of its curves and tables.
public struct TrainingRecord: Sendable, Equatable, Codable {
  /// One a step.
  public internal(set) var steps: [TrainingStep] = []
  /// Losses by noise level.
  public internal(set) var bins: [Bin]
  /// Validation loss of the initial vectors and of the initializer's words.
  public internal(set) var initialLoss: Double?
  public internal(set) var initializerLoss: Double?

  /// The pictures whose timesteps fell in a part of the training timesteps.
  public struct Bin: Sendable, Equatable, Codable {
    public let timesteps: Range<Int>
    public var count = 0
    public var sum = 0.0

    public var mean: Double? { count > 0 ? sum / Double(count) : nil }
  }

  /// When the training began, in seconds since 1970.
  public internal(set) var started = 0.0

  static let binCount = 10

  init(trainTimesteps: Int) {
    bins = (0..<Self.binCount).map { index in
      Bin(timesteps: index * trainTimesteps / Self.binCount..<(index + 1) * trainTimesteps / Self.binCount)
    }
  }

  mutating func add(timesteps: [Int], losses: [Double]) {
    for (timestep, loss) in zip(timesteps, losses) {
      guard let bin = bins.firstIndex(where: { $0.timesteps.contains(timestep) }) else { continue }
      bins[bin].count += 1
      bins[bin].sum += loss
    }
  }
}

/// What a step of the training did.
public struct TrainingStep: Sendable, Equatable, Codable {
  /// From 1.
  public let step: Int
  /// Mean over the step's pictures, before the vectors moved.
  public let loss: Double
  public let learningRate: Double
  /// Length of the gradient of all vectors, before it was clipped.
  public let gradientNorm: Double
  /// Mean over the vectors, after the step.
  public let embeddingNorm: Double
  /// Since the training began, without validations and pauses.
  public let seconds: Double
  /// Mean loss of the validation pictures after the step, at the steps that are validated.
  public internal(set) var validationLoss: Double?

  public var stepsPerSecond: Double { Double(step) / Swift.max(seconds, 1e-9) }
}
