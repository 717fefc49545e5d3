import Embeddings
import Errors
import Images
import Models

/// What words are judged by. What is the same for several words is worked out once.
public final class WordExam {
  /// A concept whose held-out pictures words are tried on.
  private struct Concept {
    let name: String
    let validation: ValidationLoss
    let pictures: Int
    /// Mean loss under a caption without a word.
    let plainLoss: Double

    init(_ name: String, _ pictures: [ConceptPicture], _ settings: Settings, _ model: DiffusionModel) throws {
      self.name = name
      self.pictures = pictures.count
      validation = ValidationLoss(model: model, pictures: pictures, window: settings.window, draws: settings.draws)
      plainLoss = mean(try validation.losses(text: ""))
    }
  }

  public struct Settings {
    public var window = TimestepWindow.noisy
    /// Pairs of timestep and noise for each picture.
    public var draws = 16
    /// Pictures of each prompt; at least two.
    public var seeds = 2

    public init() {}
  }

  /// Makes a picture of a prompt, in which the word may stand, from a seed.
  public typealias Draw = (_ prompt: String, _ seed: UInt64, _ word: LearnedEmbedding) throws -> Picture

  private let model: DiffusionModel
  private let settings: Settings
  private let concepts: [Concept]
  private let draw: Draw?
  /// By the initializer's words.
  private var initializerEditability: [String: Editability] = [:]

  /// - Parameters:
  ///   - concepts: held-out pictures by the concepts' names.
  ///   - draw: nil leaves pictures out.
  /// - Throws: `invalidArgument` for timesteps that the model lacks.
  public init(
    model: DiffusionModel, settings: Settings, concepts: [(name: String, pictures: [ConceptPicture])] = [],
    draw: Draw? = nil
  ) throws {
    try settings.window.check(trainTimesteps: model.schedule.trainTimesteps)
    (self.model, self.settings, self.draw) = (model, settings, draw)
    self.concepts = try concepts.map { try Concept($0.name, $0.pictures, settings, model) }
  }

  /// - Parameters:
  ///   - heldOut: pictures of the word's concept that its training has not seen; nil takes those of its own concept.
  ///   - own: the name of its own concept.
  /// - Throws: `badEmbedding` for a word that does not fit the model, or is for negative prompts.
  public func judge(
    _ word: LearnedEmbedding, heldOut: [ConceptPicture]? = nil, own: String? = nil
  ) throws -> WordEvaluation {
    let width = model.textEncoder.config.hiddenSize
    guard word.width == width, !word.isPerLayer else {
      throw InversionError(
        .badEmbedding,
        "'\(word.name)': not one vector of \(width) numbers a token, which '\(model.name)' needs; "
          + "train it on this model")
    }
    guard word.metadata["polarity"] != "negative" else {
      throw InversionError(
        .badEmbedding,
        "'\(word.name)': a word for negative prompts, which pictures of it do not show; see its training's report")
    }
    let initializer = word.metadata["initializer"]
    let given = try heldOut.map { try Concept("", $0, settings, model) }
    return WordEvaluation(
      name: word.name, vectors: word.count, method: word.metadata["method"],
      fidelity: try (given ?? concepts.first { $0.name == own }).map { try fidelity(word, initializer, $0) },
      retrieval: concepts.isEmpty ? nil : try retrieval(word, own: own),
      editability: try editability(of: word.name, with: word),
      initializerEditability: try initializer.flatMap { try editability(ofInitializer: $0, with: word) },
      health: try EmbeddingHealth(
        rows: word.vectors.map(Double.init), initializer: initializer.map { try model.initializerIDs($0) } ?? [],
        model: model))
  }

  private func fidelity(
    _ word: LearnedEmbedding, _ initializer: String?, _ concept: Concept
  ) throws -> WordEvaluation.Fidelity {
    WordEvaluation.Fidelity(
      pictures: concept.pictures, loss: mean(try concept.validation.losses(vectors: word.vectors)),
      initializerLoss: try initializer.map { mean(try concept.validation.losses(text: $0)) },
      plainLoss: concept.plainLoss)
  }

  private func retrieval(_ word: LearnedEmbedding, own: String?) throws -> WordEvaluation.Retrieval {
    var gains: [String: Double] = [:]
    for concept in concepts {
      gains[concept.name] = 1 - mean(try concept.validation.losses(vectors: word.vectors)) / concept.plainLoss
    }
    return WordEvaluation.Retrieval(
      rank: own.flatMap { gains[$0] }.map { own in 1 + gains.values.count { $0 > own } }, gains: gains)
  }

  private func editability(of name: String, with word: LearnedEmbedding) throws -> Editability? {
    guard let draw else { return nil }
    return try Editability(word: name, seeds: settings.seeds) { try draw($0, $1, word) }
  }

  private func editability(ofInitializer name: String, with word: LearnedEmbedding) throws -> Editability? {
    if let known = initializerEditability[name] { return known }
    let result = try editability(of: name, with: word)
    initializerEditability[name] = result
    return result
  }
}
