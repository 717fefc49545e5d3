import Embeddings
import Errors
import FoundationEssentials
import Models
import Ops
import Tensors

/// Teaches a frozen model a word: a sequence of steps, so that the caller shows progress and stops by asking for no
/// more.
///
///     let trainer = try Trainer(model: model, pictures: pictures, settings: settings)
///     for step in trainer { print(step.loss) }
///     try EmbeddingFile.write(try trainer.learnedEmbedding(), to: path)
///
/// The parts of a step are the settings' parts: what is drawn (`BatchSource`), the loss (`DenoisingLoss`,
/// `ContextTerm`), how the vectors move (`EmbeddingOptimizer`), which state is the best and when to end
/// (`EarlyStopping`, `DivergenceGuard`).
public final class Trainer: Sequence, IteratorProtocol {
  public let settings: TrainingSettings
  public let model: DiffusionModel
  let word: LearnedWord
  let pictures: [ConceptPicture]
  let validationPictures: [ConceptPicture]
  private let loss: DenoisingLoss
  private let context: ContextTerm?
  private let validation: ValidationLoss?
  private var optimizer: any EmbeddingOptimizer
  private var source: BatchSource
  /// As of the last step; optimizer and source hold theirs.
  private var progress: TrainingState
  /// The vectors from which the training started.
  let initial: InitialVectors

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
    try settings.check(trainTimesteps: model.schedule.trainTimesteps)
    let initial = try InitialVectors(settings, model: model)
    let word = try LearnedWord(settings.token, vectors: initial.count, model: model)
    let memory = WorkingMemory(settings.budget)
    (self.settings, self.model, self.word, self.pictures, self.initial) = (settings, model, word, pictures, initial)
    validationPictures = validation ?? []
    var loss = DenoisingLoss(model: model, memory: memory)
    if let scale = settings.negativeGuidance {
      loss.negative = .init(ids: try model.framed(word.ids), guidanceScale: Float(scale))
    }
    self.loss = loss
    context =
      settings.loss.contextWeight > 0
      ? try ContextTerm(word: word.ids, initializer: initial.ids, model: model, memory: memory) : nil
    let optimizer = try settings.optimizer(initial, model.textEncoder.embeddings)
    self.optimizer = optimizer
    source = try settings.source(pictures, word: word, initializer: initial.ids, memory: memory)
    self.validation = validation.map { pictures in
      ValidationLoss(
        model: model, pictures: pictures, window: settings.timesteps, draws: Self.validationDraws,
        negative: settings.negativeGuidance.map { .init(guidanceScale: $0, positiveWord: initial.ids) },
        budget: settings.budget)
    }
    progress = TrainingState(
      optimizer: optimizer.state, average: settings.averageDecay.map { MovingAverage(decay: $0, rows: optimizer.rows) },
      guarding: DivergenceGuard(optimizer.state),
      record: TrainingRecord(trainTimesteps: model.schedule.trainTimesteps))
    progress.record.started = Date().timeIntervalSince1970.rounded()
  }

  /// Takes a step, or gives nil after the last, when the validation loss has settled, or when the training has
  /// diverged for good.
  public func next() -> TrainingStep? {
    validateStart()
    guard !isFinished else { return nil }
    let start = ContinuousClock.now
    var outcome: StepOutcome?
    while outcome == nil, !progress.guarding.hasGivenUp {
      outcome = advance(on: (0..<settings.accumulate).map { _ in source.next(settings.batch) })
    }
    guard let outcome else { return nil }
    progress.step += 1
    progress.guarding.keep(optimizer.state, step: progress.step)
    let seconds = (progress.record.steps.last?.seconds ?? 0) + (ContinuousClock.now - start) / .seconds(1)
    var step = TrainingStep(
      step: progress.step, loss: outcome.loss, learningRate: outcome.learningRate, gradientNorm: outcome.gradientNorm,
      embeddingNorm: meanNorm, seconds: seconds)
    step.validationLoss = validate()
    progress.record.steps.append(step)
    return step
  }

  /// What a step came to.
  struct StepOutcome {
    let loss: Double
    let learningRate: Double
    let gradientNorm: Double
  }

  /// Moves the vectors against the mean gradient of the batches; nil when loss or gradient was not finite and the
  /// vectors have been taken back instead.
  func advance(on batches: [TrainingBatch]) -> StepOutcome? {
    let rate =
      settings.effectiveLearningRate.rate(step: progress.step + 1, of: settings.steps) * progress.guarding.rateFactor
    var (total, gradient) = (0.0, rows.map { _ in 0.0 })
    for batch in batches {
      let result = loss.lossAndGradient(batch, rows: rows)
      total += result.loss / Double(batches.count)
      for index in gradient.indices { gradient[index] += result.gradient[index] / Double(batches.count) }
      if result.loss.isFinite { progress.record.add(timesteps: batch.timesteps, losses: result.pictures) }
    }
    if let context {
      let term = context.lossAndGradient(rows: rows, step: progress.step)
      total += settings.loss.contextWeight * term.loss
      for index in gradient.indices { gradient[index] += settings.loss.contextWeight * term.gradient[index] }
    }
    let length = norm(gradient[...])
    if let clip = settings.gradientClip, length > clip { gradient = gradient.map { $0 * clip / length } }
    if total.isFinite, length.isFinite { optimizer.step(gradient: gradient, learningRate: rate) }
    guard total.isFinite, length.isFinite, rows.allSatisfy(\.isFinite) else {
      optimizer.state = progress.guarding.rollBack()
      return nil
    }
    progress.average?.add(rows)
    return StepOutcome(loss: total, learningRate: rate, gradientNorm: length)
  }

  // MARK: Validation

  /// The first validation is of the initial vectors.
  private func validateStart() {
    guard let validation, progress.step == 0, progress.record.initialLoss == nil else { return }
    let loss = validationLoss(validation)
    progress.record.initialLoss = loss
    if !initial.ids.isEmpty {
      progress.record.initializerLoss = (try? validation.losses(word: initial.ids, rows: [])).map(mean)
    }
    if let loss { progress.stopping.add(loss, step: 0, rows: shownRows) }
  }

  /// At the steps whose turn it is, the loss of the validation pictures; keeps the best state, and ends the training
  /// when the losses have settled.
  private func validate() -> Double? {
    let step = progress.step
    guard let validation, step % settings.stopping.interval == 0 || step == settings.steps else { return nil }
    guard let loss = validationLoss(validation) else { return nil }
    progress.stopping.add(loss, step: step, rows: shownRows)
    // Long first steps are there to come near; what has settled while they last can still fall.
    let isNear = step > settings.effectiveLearningRate.lastChange
    progress.hasStopped = settings.stopping.isAutomatic && isNear && progress.stopping.hasSettled(settings.stopping)
    return loss
  }

  private func validationLoss(_ validation: ValidationLoss) -> Double? {
    // The captions had room for the word when the training began.
    (try? validation.losses(word: word.ids, rows: shownRows)).map(mean)
  }

  // MARK: State

  /// The vectors as they stand: (n, width).
  var rows: [Double] { optimizer.rows }

  /// The vectors that are validated and kept: the average's, at the length that training gives them.
  private var shownRows: [Double] {
    guard let average = progress.average?.rows else { return rows }
    guard settings.method == .directional || settings.keepsNorm else { return average }
    return rescaled(average, width: initial.width, to: meanNorm)
  }

  private var meanNorm: Double {
    mean(stride(from: 0, to: rows.count, by: initial.width).map { norm(rows[$0..<$0 + initial.width]) })
  }

  /// What has happened so far.
  public var record: TrainingRecord { progress.record }
  public var hasDiverged: Bool { progress.guarding.hasGivenUp }
  /// Whether the validation loss had settled before the last step.
  public var hasStopped: Bool { progress.hasStopped }
  public var isFinished: Bool { progress.step >= settings.steps || hasStopped || hasDiverged }
  /// How often the vectors were taken back because something was not finite.
  public var rollBacks: Int { progress.guarding.rollBacks }

  /// All that a checkpoint must hold. Setting it goes on where another run of the same training stopped.
  var state: TrainingState {
    get {
      var state = progress
      (state.optimizer, state.source) = (optimizer.state, source.state)
      return state
    }
    set {
      progress = newValue
      (optimizer.state, source.state) = (newValue.optimizer, newValue.source)
    }
  }

  // MARK: Result

  /// The best validated state, or the last one where nothing was validated: (n, width).
  public var bestRows: [Double] { progress.stopping.best?.rows ?? shownRows }
  public var bestStep: Int { progress.stopping.best?.step ?? progress.step }
  /// Mean loss of the validation pictures under the word that `learnedEmbedding` gives, and under the initializer.
  public var learnedLoss: Double? { progress.stopping.best?.loss }
  public var initializerLoss: Double? { progress.record.initializerLoss }

  /// The word as it stands, for looks at it while it is learned.
  public var currentEmbedding: LearnedEmbedding {
    LearnedEmbedding(name: settings.token, vectors: shownRows.map(Float.init), width: initial.width, sha256: "")
  }

  /// The word, with how it came to be: its best validated state, or the last one where nothing was validated.
  /// - Throws: `diverged` when loss or vectors were not finite, again and again.
  public func learnedEmbedding(_ provenance: Provenance = Provenance()) throws -> LearnedEmbedding {
    guard !hasDiverged else {
      throw InversionError(
        .diverged,
        "the training diverged in step \(progress.step + 1): loss or vectors are not finite; lower '--learning-rate'")
    }
    return LearnedEmbedding(
      name: settings.token, vectors: bestRows.map(Float.init), width: initial.width, sha256: "",
      metadata: provenance.metadata(of: self))
  }
}

extension TrainingSettings {
  /// What the batches are drawn from.
  /// - Throws: `promptTooLong` when a caption with its word is.
  fileprivate func source(
    _ pictures: [ConceptPicture], word: LearnedWord, initializer: [Int], memory: WorkingMemory
  ) throws -> BatchSource {
    let model = word.model
    let plan = BatchSource.Plan(
      timesteps: timesteps.range(trainTimesteps: model.schedule.trainTimesteps), captions: captions, loss: loss,
      word: word.ids, positiveWord: negativeGuidance.map { _ in initializer })
    let items = try pictures.map { picture in
      let captions = picture.caption.texts(templates).map { Caption($0, words: picture.caption.words, model: model) }
      for caption in captions { _ = try caption.ids(word: plan.positiveWord ?? plan.word, model: model) }
      return BatchSource.Item(
        views: picture.views.map { PictureLatents($0, model: model, memory: memory) }, captions: captions)
    }
    return BatchSource(items, plan: plan, seed: seed, model: model)
  }
}
