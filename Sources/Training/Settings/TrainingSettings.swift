import Errors
import Models

/// How the vectors are moved.
public enum TrainingMethod: String, Sendable, CaseIterable, Codable {
  /// Directional Textual Inversion: the norm is that of the vocabulary, only the direction is learned. The word stays
  /// one among others, so that edits of the prompt keep working.
  case directional = "dti"
  /// Textual Inversion (Gal et al. 2022): AdamW on the vectors.
  case plain = "ti"

  /// A directional step turns the vector by this angle. The paper takes 0.01 and 400 steps. On the concept sets 50
  /// steps of 0.1 come as far as 100 of 0.05, but the lowest validation loss in 400 is 0.9 % higher (mean of six
  /// sets): so steps are long first and shorter from there on.
  public var defaultLearningRate: LearningRateSchedule {
    switch self {
    case .directional: LearningRateSchedule([.init(rate: 0.1, lastStep: 100), .init(rate: 0.05, lastStep: nil)])
    case .plain: 5e-3
    }
  }
}

/// The length that directional training gives the vectors.
public enum EmbeddingNorm: String, Sendable, CaseIterable, Codable {
  /// The mean of the vocabulary's: what the text encoder of a model with a well-trained vocabulary is used to.
  case vocabulary
  /// The initializer's: for models of whose vocabulary many tokens have never been trained and are too short.
  case initializer
}

/// What to learn and how. Each part has its own settings; those of a training stand in its checkpoint, and another
/// training's are refused.
public struct TrainingSettings: Sendable, Equatable, Codable {
  /// The word that prompts will use: `<my-cat>`.
  public var token: String
  /// Words of the vocabulary that come near: what the vectors start from and are compared with. Empty where there are
  /// none.
  public var initializer: String
  public var initialization = Initialization.words
  public var steps = 400
  public var method = TrainingMethod.directional
  /// nil: the method's own.
  public var learningRate: LearningRateSchedule?
  /// Of directional training, and of the other where it keeps the norm.
  public var norm = EmbeddingNorm.vocabulary
  /// Brings the vectors back to their length after each step of the plain method.
  public var keepsNorm = false
  /// Pictures in a forward and backward pass.
  public var batch = 4
  /// Passes whose gradients are averaged before the vectors move.
  public var accumulate = 1
  /// Longest gradient; a longer one is scaled down.
  public var gradientClip: Double?
  /// Decay of the moving average of the vectors that is validated and kept; nil takes the vectors as they are.
  public var averageDecay: Double? = 0.95
  /// Tokens that the word stands for; nil: as many as the initializer has.
  public var vectors: Int?
  public var templates = PromptTemplates.object
  public var captions = CaptionSettings()
  public var framing = PictureFraming()
  public var loss = LossSettings()
  public var timesteps = TimestepWindow.noisy
  public var stopping = StoppingSettings()
  /// The word is for negative prompts: classifier-free guidance of this scale is trained through.
  public var negativeGuidance: Double?
  public var seed: UInt64 = 0
  /// What the passes may hold in memory; no part of the result.
  public var budget = MemoryBudget.unlimited

  public init(token: String, initializer: String) {
    self.token = token
    self.initializer = initializer
  }

  /// All but the budget: a training may go on with another one.
  private enum CodingKeys: String, CodingKey {
    case token, initializer, initialization, steps, method, learningRate, norm, keepsNorm, batch, accumulate
    case gradientClip, averageDecay, vectors, templates, captions, framing, loss, timesteps, stopping, negativeGuidance
    case seed
  }

  static let largestBatch = 64
  public static let vectorLimit = 16

  /// - Throws: `invalidArgument` for the first value that cannot be.
  func check(trainTimesteps: Int) throws {
    func require(_ holds: Bool, _ message: @autoclosure () -> String) throws {
      guard holds else { throw InversionError(.invalidArgument, message()) }
    }
    try require(steps > 0, "'\(steps)' steps: give 1 or more")
    try require(
      (1...Self.largestBatch).contains(batch), "a batch of '\(batch)' pictures: give 1 to \(Self.largestBatch)")
    try require(accumulate > 0, "'\(accumulate)' accumulated batches: give 1 or more")
    if let vectors {
      try require((1...Self.vectorLimit).contains(vectors), "'\(vectors)' vectors: give 1 to \(Self.vectorLimit)")
    }
    if let gradientClip {
      try require(
        gradientClip.isFinite && gradientClip > 0, "a gradient clip of '\(gradientClip)': give one above 0, usually 1")
    }
    if let averageDecay {
      try require((0..<1).contains(averageDecay), "an average decay of '\(averageDecay)': give 0 to below 1")
    }
    if let scale = negativeGuidance {
      try require(scale.isFinite && scale > 1 && scale <= 30, "a guidance of '\(scale)': give one above 1, usually 3")
      try require(!initializer.isEmpty, "a negative word's pictures need words for what they show: give '--init-word'")
    }
    try require(
      loss.contextWeight == 0 || !initializer.isEmpty,
      "the context term compares with the initializer: give '--init-word'")
    try learningRate?.check()
    try timesteps.check(trainTimesteps: trainTimesteps)
    try captions.check()
    try loss.check()
    try stopping.check()
  }

  var effectiveLearningRate: LearningRateSchedule {
    learningRate ?? method.defaultLearningRate
  }
}
