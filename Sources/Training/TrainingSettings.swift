import Embeddings
import Errors
import Models

/// How the vectors are moved.
public enum TrainingMethod: String, Sendable, CaseIterable {
  /// Directional Textual Inversion: the norm is that of the vocabulary, only the direction is learned. The word stays
  /// one among others, so that edits of the prompt keep working.
  case directional = "dti"
  /// Textual Inversion (Gal et al. 2022): AdamW on the vectors.
  case plain = "ti"

  /// A directional step turns the vector by this angle. The paper takes 0.01 and 400 steps; on the concept sets, 75
  /// steps of 0.03 win 19 and 31 % of the held-out loss where 0.01 wins 16 and 18 %, and 150 of 0.05 win 24 and 34 %.
  public var defaultLearningRate: Double {
    switch self {
    case .directional: 5e-2
    case .plain: 5e-3
    }
  }
}

/// The length that directional training gives the vectors.
public enum EmbeddingNorm: String, Sendable, CaseIterable {
  /// The mean of the vocabulary's: what the text encoder of a model with a well-trained vocabulary is used to.
  case vocabulary
  /// The initializer's: for models of whose vocabulary many tokens have never been trained and are too short.
  case initializer
}

/// What to learn and how.
public struct TrainingSettings: Sendable, Equatable {
  /// The word that prompts will use: `<my-cat>`.
  public var token: String
  /// A word of the vocabulary that comes near; the vectors start from its.
  public var initializer: String
  public var steps = 400
  public var method = TrainingMethod.directional
  /// nil: the method's own.
  public var learningRate: Double?
  /// Of directional training.
  public var norm = EmbeddingNorm.vocabulary
  /// Pictures in a forward and backward pass.
  public var batch = 4
  /// Passes whose gradients are averaged before the vectors move.
  public var accumulate = 1
  /// Tokens that the word stands for.
  public var vectors = 1
  public var templates = PromptTemplates.object
  public var timesteps = TimestepWindow.noisy
  public var seed: UInt64 = 0
  /// What the passes may hold in memory; no part of the result.
  public var budget = MemoryBudget.unlimited

  public init(token: String, initializer: String) {
    self.token = token
    self.initializer = initializer
  }

  static let largestBatch = 64

  /// - Throws: `invalidArgument` for the first value that cannot be.
  func check(trainTimesteps: Int) throws {
    func require(_ holds: Bool, _ message: @autoclosure () -> String) throws {
      guard holds else { throw InversionError(.invalidArgument, message()) }
    }
    try require(steps > 0, "'\(steps)' steps: give 1 or more")
    try require(
      (1...Self.largestBatch).contains(batch), "a batch of '\(batch)' pictures: give 1 to \(Self.largestBatch)")
    try require(accumulate > 0, "'\(accumulate)' accumulated batches: give 1 or more")
    try require(
      (1...EmbeddingFile.vectorLimit).contains(vectors),
      "'\(vectors)' vectors: a prompt has room for 1 to \(EmbeddingFile.vectorLimit)")
    if let learningRate {
      try require(
        learningRate.isFinite && learningRate > 0 && learningRate <= 1,
        "a learning rate of '\(learningRate)': give one above 0, up to 1")
    }
    try timesteps.check(trainTimesteps: trainTimesteps)
  }

  var effectiveLearningRate: Double { learningRate ?? method.defaultLearningRate }
}

/// Which training timesteps are drawn, each with equal probability.
public enum TimestepWindow: Sendable, Equatable {
  case uniform
  /// Both ends included.
  case range(ClosedRange<Int>)

  /// Where the subject of a picture is decided: learning there is faster and better than over all timesteps.
  public static let noisy = TimestepWindow.range(500...900)

  /// Reads `uniform` or `A-B`; nil for anything else.
  public init?(_ text: String) {
    if text == "uniform" {
      self = .uniform
      return
    }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else { return nil }
    self = .range(first...last)
  }

  func range(trainTimesteps: Int) -> Range<Int> {
    switch self {
    case .uniform: 0..<trainTimesteps
    case .range(let range): range.lowerBound..<range.upperBound + 1
    }
  }

  func check(trainTimesteps: Int) throws {
    let range = range(trainTimesteps: trainTimesteps)
    guard range.lowerBound >= 0, range.upperBound <= trainTimesteps else {
      throw InversionError(
        .invalidArgument,
        "timesteps '\(range.lowerBound)-\(range.upperBound - 1)': the model has 0-\(trainTimesteps - 1)")
    }
  }
}

extension TimestepWindow: CustomStringConvertible {
  public var description: String {
    switch self {
    case .uniform: "uniform"
    case .range(let range): "\(range.lowerBound)-\(range.upperBound)"
    }
  }
}
