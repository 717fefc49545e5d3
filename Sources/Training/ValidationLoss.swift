import Models
import Ops
import Schedules
import Tensors

/// A loss without chance: fixed pictures, noise and timesteps, so that two words, or two states of one, can be compared
/// (DVAR, Voronov et al. 2023).
public struct ValidationLoss {
  private let model: DiffusionModel
  private let loss: DenoisingLoss
  /// Of each picture, mean latents; all pictures share noise and timesteps.
  private let pictures: [PictureLatents]
  private let noise: [[Float]]
  private let timesteps: [Int]
  /// The words' captions: a template of the settings, or the pictures' own first one.
  private let templates: [String]

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
    precondition(!pictures.isEmpty && draws > 0)
    let memory = WorkingMemory(budget)
    self.model = model
    loss = DenoisingLoss(model: model, memory: memory)
    self.pictures = pictures.map { PictureLatents($0.picture, model: model, memory: memory) }
    templates = pictures.map { $0.templates.first ?? template }
    let range = window.range(trainTimesteps: model.schedule.trainTimesteps)
    timesteps = (0..<draws).map { range.lowerBound + (2 * $0 + 1) * range.count / (2 * draws) }
    var generator = PhiloxNoise(seed: Self.seed)
    let count = self.pictures[0].count
    noise = (0..<draws).map { _ in generator.normal(count) }
  }

  /// The loss of each picture when its caption has `word` in the gap: ids of the vocabulary, or behind it of `rows`.
  func losses(word: [Int], rows: [Double]) throws -> [Double] {
    try zip(pictures, templates).map { picture, template in
      let ids = try model.captionIDs(of: template, word: word)
      let latents = picture.scaled(noise: Array(repeating: 0, count: picture.count))
      let losses = stride(from: 0, to: timesteps.count, by: Self.batch).flatMap { start in
        let draws = start..<min(start + Self.batch, timesteps.count)
        let batch = TrainingBatch(
          shape: picture.shape, latents: draws.flatMap { _ in latents }, noise: noise[draws].flatMap(\.self),
          timesteps: Array(timesteps[draws]), ids: draws.map { _ in ids })
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
