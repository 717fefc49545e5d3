import Models
import Ops
import Schedules
import Tensors

/// A loss without chance: fixed pictures, noise and timesteps, so that two words, or two states of one, can be compared
/// (DVAR, Voronov et al. 2023).
public struct ValidationLoss {
  private let model: DiffusionModel
  private let memory: WorkingMemory
  /// Of each picture, mean latents; all pictures share noise and timesteps.
  private let pictures: [PictureLatents]
  private let noise: [[Float]]
  private let timesteps: [Int]
  /// The words' captions: a template of the settings, or the pictures' own first one.
  private let captions: [Caption]
  private let negative: Negative?

  /// How a negative word is validated: in the prompt against which captions with this word are guided.
  struct Negative {
    let guidanceScale: Double
    /// Ids in the captions' gap.
    let positiveWord: [Int]
  }

  /// Draws that go through the network together: as many as a training's pictures, so that memory is no worse.
  private static let batch = 4

  /// Not the seed of any training: with equal noise, a word could win by having learned it.
  private static let seed: UInt64 = 0x7661_6c69_6461_7465  // "validate" in ASCII

  /// - Parameters:
  ///   - draws: pairs of timestep and noise for each picture, spread evenly over the window.
  ///   - template: the caption of pictures that have none of their own.
  public init(
    model: DiffusionModel, pictures: [ConceptPicture], window: TimestepWindow, draws: Int = 16,
    template: String = "a photo of a {}", budget: MemoryBudget = .unlimited
  ) {
    self.init(
      model: model, pictures: pictures, window: window, draws: draws, template: template, negative: nil, budget: budget)
  }

  init(
    model: DiffusionModel, pictures: [ConceptPicture], window: TimestepWindow, draws: Int,
    template: String = "a photo of a {}", negative: Negative?, budget: MemoryBudget
  ) {
    precondition(!pictures.isEmpty && draws > 0)
    let memory = WorkingMemory(budget)
    self.memory = memory
    self.model = model
    self.negative = negative
    self.pictures = pictures.map { PictureLatents($0.views[0], model: model, memory: memory) }
    captions = pictures.map { picture in
      let own = picture.caption.isWritten && !picture.caption.words.isEmpty ? PromptTemplates.captioned : template
      return Caption(picture.caption.templates.first ?? own, words: picture.caption.words, model: model)
    }
    let range = window.range(trainTimesteps: model.schedule.trainTimesteps)
    timesteps = (0..<draws).map { range.lowerBound + (2 * $0 + 1) * range.count / (2 * draws) }
    var generator = PhiloxNoise(seed: Self.seed)
    // Smaller pictures take the first of it.
    let count = self.pictures.map(\.count).max() ?? 0
    noise = (0..<draws).map { _ in generator.normal(count) }
  }

  /// The loss of each picture when its caption has `word` in the gap: ids of the vocabulary, or behind it of `rows`.
  func losses(word: [Int], rows: [Double]) throws -> [Double] {
    var loss = DenoisingLoss(model: model, memory: memory)
    if let negative {
      loss.negative = DenoisingLoss.NegativePrompt(
        ids: try model.framed(word), guidanceScale: Float(negative.guidanceScale))
    }
    return try zip(pictures, captions).map { picture, caption in
      let ids = try caption.ids(word: negative?.positiveWord ?? word, model: model)
      let latents = picture.scaled(noise: Array(repeating: 0, count: picture.count))
      let losses = stride(from: 0, to: timesteps.count, by: Self.batch).flatMap { start in
        let draws = start..<min(start + Self.batch, timesteps.count)
        var batch = TrainingBatch(
          shape: picture.shape, latents: draws.flatMap { _ in latents },
          noise: noise[draws].flatMap { $0.prefix(picture.count) }, timesteps: Array(timesteps[draws]),
          ids: draws.map { _ in ids })
        if let mask = picture.mask { batch.masks = draws.flatMap { _ in mask } }
        return loss.losses(batch, rows: rows)
      }
      return mean(losses)
    }
  }

  /// The loss of each picture under a learned word's vectors (n, width).
  /// - Throws: `promptTooLong` when a caption has no room for them.
  public func losses(vectors: [Float]) throws -> [Double] {
    let first = model.textEncoder.config.vocabSize
    let count = vectors.count / model.textEncoder.config.hiddenSize
    return try losses(word: Array(first..<first + count), rows: vectors.map(Double.init))
  }

  /// The loss of each picture under words of the vocabulary.
  public func losses(text: String) throws -> [Double] {
    try losses(word: model.tokenizer.encode(text).map(Int.init), rows: [])
  }
}
