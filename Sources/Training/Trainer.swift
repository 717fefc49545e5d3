import Embeddings
import Errors
import Models
import Ops
import Tensors

/// What a step of the training did.
public struct TrainingStep: Sendable, Equatable {
  /// From 1.
  public let step: Int
  /// Mean over the step's pictures, before the vectors moved.
  public let loss: Double
  /// Mean over the vectors, after the step.
  public let embeddingNorm: Double
  /// Of the training so far, without validations.
  public let stepsPerSecond: Double
  /// Mean loss of the validation pictures after the step, at the steps that are validated.
  public let validationLoss: Double?
}

/// Teaches a frozen model a word: a sequence of steps, so that the caller shows progress and stops by asking for no
/// more.
///
///     let trainer = try Trainer(model: model, pictures: pictures, settings: settings)
///     for step in trainer { print(step.loss) }
///     try EmbeddingFile.write(try trainer.learnedEmbedding(), to: path)
public final class Trainer: Sequence, IteratorProtocol {
  public let settings: TrainingSettings
  public let model: DiffusionModel
  let word: LearnedWord
  private let pictures: [ConceptPicture]
  private let loss: DenoisingLoss
  private var optimizer: any EmbeddingOptimizer
  private var source: BatchSource
  private var step = 0
  private var hasDiverged = false
  private var seconds = 0.0
  private let validation: ValidationLoss?
  /// The validated state with the lowest loss.
  private var best: (loss: Double, step: Int, rows: [Double])?
  /// Mean loss of the validation pictures under the initializer word.
  public let initializerLoss: Double?

  /// How often a training is validated, the last step included.
  static let validations = 8
  /// Steps between two of them at least: they cost about as much as five.
  static let leastInterval = 25
  static let validationDraws = 8

  /// Encodes the pictures; no step is taken yet.
  /// - Parameters:
  ///   - model: with the VAE's encoder.
  ///   - validation: pictures that choose the best state of the word; nil keeps the last.
  /// - Throws: `invalidArgument` or `promptTooLong` for a setting that cannot be.
  public init(
    model: DiffusionModel, pictures: [ConceptPicture], settings: TrainingSettings, validation: [ConceptPicture]? = nil
  ) throws {
    precondition(!pictures.isEmpty)
    let trainTimesteps = model.schedule.trainTimesteps
    try settings.check(trainTimesteps: trainTimesteps)
    let word = try LearnedWord(settings.token, vectors: settings.vectors, model: model)
    let initializer = try model.initializerID(settings.initializer)
    let memory = WorkingMemory(settings.budget)
    let shared = try settings.templates.texts.map(word.ids)
    let items = try pictures.map { picture in
      let own = try picture.templates.map(word.ids)
      return BatchSource.Item(
        latents: PictureLatents(picture.picture, model: model, memory: memory), captions: own.isEmpty ? shared : own)
    }
    self.settings = settings
    self.model = model
    self.word = word
    self.pictures = pictures
    loss = DenoisingLoss(model: model, memory: memory)
    optimizer = settings.optimizer(model.textEncoder.embeddings, initializer: initializer)
    source = BatchSource(
      items, timesteps: settings.timesteps.range(trainTimesteps: trainTimesteps), seed: settings.seed)
    self.validation = validation.map {
      ValidationLoss(
        model: model, pictures: $0, window: settings.timesteps, draws: Self.validationDraws, budget: settings.budget)
    }
    initializerLoss = try self.validation.map { mean(try $0.losses(text: settings.initializer)) }
  }

  /// Takes a step, or gives nil after the last or when the training has diverged.
  public func next() -> TrainingStep? {
    guard step < settings.steps, !hasDiverged else { return nil }
    let start = ContinuousClock.now
    let loss = advance(on: (0..<settings.accumulate).map { _ in source.next(settings.batch) })
    seconds += (ContinuousClock.now - start) / .seconds(1)
    guard loss.isFinite, rows.allSatisfy(\.isFinite) else {
      hasDiverged = true
      return nil
    }
    step += 1
    return TrainingStep(
      step: step, loss: loss, embeddingNorm: meanNorm, stepsPerSecond: Double(step) / Swift.max(seconds, 1e-9),
      validationLoss: validate())
  }

  /// At the steps whose turn it is, the loss of the validation pictures; keeps the best state.
  private func validate() -> Double? {
    let interval = Swift.max(Self.leastInterval, settings.steps / Self.validations)
    guard let validation, step % interval == 0 || step == settings.steps else { return nil }
    // The captions had room for the word when the training began.
    guard let losses = try? validation.losses(vectors: rows.map(Float.init)) else { return nil }
    let loss = mean(losses)
    if loss < best?.loss ?? .infinity { best = (loss, step, rows) }
    return loss
  }

  /// Moves the vectors against the mean gradient of the batches and gives the mean of their losses.
  func advance(on batches: [TrainingBatch]) -> Double {
    var (total, sum) = (0.0, rows.map { _ in 0.0 })
    for batch in batches {
      let (loss, gradient) = loss.lossAndGradient(batch, rows: rows)
      total += loss
      for index in sum.indices { sum[index] += gradient[index] }
    }
    optimizer.step(gradient: sum.map { $0 / Double(batches.count) })
    return total / Double(batches.count)
  }

  /// The vectors as they stand: (n, width).
  var rows: [Double] { optimizer.rows }

  private var meanNorm: Double {
    let width = rows.count / settings.vectors
    let norms = stride(from: 0, to: rows.count, by: width).map { start in
      rows[start..<start + width].reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    return norms.reduce(0, +) / Double(settings.vectors)
  }

  /// The word, with how it came to be: its best validated state, or the last one where nothing was validated.
  /// - Throws: `diverged` when loss or vectors were not finite.
  public func learnedEmbedding() throws -> LearnedEmbedding {
    guard !hasDiverged else {
      throw InversionError(
        .diverged, "the training diverged in step \(step + 1): loss or vectors are not finite; lower '--learning-rate'")
    }
    let rows = best?.rows ?? rows
    return LearnedEmbedding(
      name: settings.token, vectors: rows.map(Float.init), width: rows.count / settings.vectors, sha256: "",
      metadata: metadata)
  }

  /// Mean loss of the validation pictures under the word that `learnedEmbedding` gives.
  public var learnedLoss: Double? { best?.loss }

  /// All that another run needs to give the same vectors.
  private var metadata: [String: String] {
    [
      "base_model": model.name,
      "method": settings.method.rawValue,
      "initializer": settings.initializer,
      "steps": "\(best?.step ?? step)",
      "norm": settings.norm.rawValue,
      "learning_rate": "\(settings.effectiveLearningRate)",
      "batch": "\(settings.batch)",
      "accumulate": "\(settings.accumulate)",
      "templates": settings.templates.name,
      "timesteps": settings.timesteps.description,
      "seed": "\(settings.seed)",
      "pictures_sha256": pictures.map(\.sha256).joined(separator: " "),
    ]
  }
}
