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
  /// Of the training so far.
  public let stepsPerSecond: Double
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
  private let start = ContinuousClock.now

  /// Encodes the pictures; no step is taken yet.
  /// - Parameter model: with the VAE's encoder.
  /// - Throws: `invalidArgument` or `promptTooLong` for a setting that cannot be.
  public init(model: DiffusionModel, pictures: [ConceptPicture], settings: TrainingSettings) throws {
    precondition(!pictures.isEmpty)
    let trainTimesteps = model.schedule.trainTimesteps
    try settings.check(trainTimesteps: trainTimesteps)
    let word = try LearnedWord(settings.token, vectors: settings.vectors, model: model)
    let initializer = model.textEncoder.embeddings.row(try model.initializerID(settings.initializer))
    let pool = BufferPool()
    let shared = try settings.templates.texts.map(word.ids)
    let items = try pictures.map { picture in
      let own = try picture.templates.map(word.ids)
      return BatchSource.Item(
        latents: PictureLatents(picture.picture, model: model, pool: pool), captions: own.isEmpty ? shared : own)
    }
    self.settings = settings
    self.model = model
    self.word = word
    self.pictures = pictures
    loss = DenoisingLoss(model: model, pool: pool)
    optimizer = settings.method.optimizer(
      initial: initializer, vectors: settings.vectors, vocabularyNorm: model.textEncoder.embeddings.meanNorm,
      learningRate: settings.learningRate ?? settings.method.defaultLearningRate)
    source = BatchSource(
      items, timesteps: settings.timesteps.range(trainTimesteps: trainTimesteps), seed: settings.seed)
  }

  /// Takes a step, or gives nil after the last or when the training has diverged.
  public func next() -> TrainingStep? {
    guard step < settings.steps, !hasDiverged else { return nil }
    let loss = advance(on: (0..<settings.accumulate).map { _ in source.next(settings.batch) })
    guard loss.isFinite, rows.allSatisfy(\.isFinite) else {
      hasDiverged = true
      return nil
    }
    step += 1
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    return TrainingStep(
      step: step, loss: loss, embeddingNorm: meanNorm, stepsPerSecond: Double(step) / Swift.max(seconds, 1e-9))
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

  /// The word as it stands, with how it came to be.
  /// - Throws: `diverged` when loss or vectors were not finite.
  public func learnedEmbedding() throws -> LearnedEmbedding {
    guard !hasDiverged else {
      throw InversionError(
        .diverged, "the training diverged in step \(step + 1): loss or vectors are not finite; lower '--learning-rate'")
    }
    return LearnedEmbedding(
      name: settings.token, vectors: rows.map(Float.init), width: rows.count / settings.vectors, sha256: "",
      metadata: metadata)
  }

  /// All that another run needs to give the same vectors.
  private var metadata: [String: String] {
    [
      "base_model": model.name,
      "method": settings.method.rawValue,
      "initializer": settings.initializer,
      "steps": "\(step)",
      "learning_rate": "\(settings.learningRate ?? settings.method.defaultLearningRate)",
      "batch": "\(settings.batch)",
      "accumulate": "\(settings.accumulate)",
      "templates": settings.templates.name,
      "timesteps": settings.timesteps.description,
      "seed": "\(settings.seed)",
      "pictures_sha256": pictures.map(\.sha256).joined(separator: " "),
    ]
  }
}
