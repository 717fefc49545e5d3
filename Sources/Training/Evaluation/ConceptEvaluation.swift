import Embeddings
import Errors
import Models

/// How well learned words stand for their concepts, judged without any other model than the one they were trained on:
/// by the deterministic loss of pictures that the training has not seen.
public struct ConceptEvaluation: Sendable, Codable, Equatable {
  /// A concept's held-out pictures under the words of all concepts.
  public struct Row: Sendable, Codable, Equatable {
    public let concept: String
    public let initializer: String
    public let pictures: Int
    /// Mean loss under the learned word and under the initializer.
    public let learnedLoss: Double
    public let initializerLoss: Double
    /// By how much of its loss the initializer is beaten: 1 - learned / initializer.
    public let gain: Double
    /// Mean loss under the word of each concept, in the order of the rows.
    public let losses: [Double]
    /// Pictures that their own word explains better than any other concept's.
    public let retrieved: Int
  }

  public let rows: [Row]
  public let timesteps: String
  public let draws: Int

  /// Share of held-out pictures that go to their own word (diffusion classifier, Li et al. 2023).
  public var retrieval: Double {
    let pictures = rows.reduce(0) { $0 + $1.pictures }
    return Double(rows.reduce(0) { $0 + $1.retrieved }) / Double(max(pictures, 1))
  }
}

extension ConceptEvaluation {
  /// A concept with the word that was learned for it.
  public struct Concept: Sendable {
    public let name: String
    public let word: LearnedEmbedding
    /// Pictures that the training has not seen.
    public let heldOut: [ConceptPicture]

    public init(name: String, word: LearnedEmbedding, heldOut: [ConceptPicture]) {
      self.name = name
      self.word = word
      self.heldOut = heldOut
    }
  }

  /// - Parameter draws: pairs of timestep and noise for each picture, the same for all words.
  /// - Throws: `badEmbedding` naming the concept whose word does not fit the model or has no initializer on record.
  public init(_ concepts: [Concept], model: DiffusionModel, window: TimestepWindow, draws: Int) throws {
    try window.check(trainTimesteps: model.schedule.trainTimesteps)
    rows = try concepts.indices.map { index in
      let concept = concepts[index]
      let initializer = try concept.initializer(for: model)
      let validation = ValidationLoss(model: model, pictures: concept.heldOut, window: window, draws: draws)
      // (words, pictures)
      let losses = try concepts.map { try validation.losses(vectors: $0.word.vectors) }
      let retrieved = concept.heldOut.indices.count { picture in
        losses.indices.allSatisfy { $0 == index || losses[index][picture] < losses[$0][picture] }
      }
      let start = mean(try validation.losses(text: initializer))
      let learned = mean(losses[index])
      return Row(
        concept: concept.name, initializer: initializer, pictures: concept.heldOut.count, learnedLoss: learned,
        initializerLoss: start, gain: 1 - learned / start, losses: losses.map(mean), retrieved: retrieved)
    }
    timesteps = window.description
    self.draws = draws
  }
}

extension ConceptEvaluation.Concept {
  fileprivate func initializer(for model: DiffusionModel) throws -> String {
    let width = model.textEncoder.config.hiddenSize
    guard word.width == width else {
      throw InversionError(
        .badEmbedding,
        "'\(name)': the word is \(word.width) wide, '\(model.name)' needs \(width); train it on this model")
    }
    guard let initializer = word.metadata["initializer"] else {
      throw InversionError(
        .badEmbedding, "'\(name)': the word's file does not say what it started from; train it with 'inversion train'")
    }
    return initializer
  }
}

/// What the names of trained things gain, on their own pictures, over the names of others: the measure for a learned
/// word.
public struct KnownWordGap: Sendable, Codable, Equatable {
  public struct Row: Sendable, Codable, Equatable {
    public let word: String
    public let loss: Double
    /// The other word that explains the picture best, and its loss.
    public let neighbour: String
    public let neighbourLoss: Double
    /// Mean over all other words.
    public let othersLoss: Double
  }

  public let rows: [Row]
  /// Mean over the words of 1 - own loss / neighbour's loss.
  public let gapToNeighbour: Double
  /// Mean over the words of 1 - own loss / others' mean loss.
  public let gapToOthers: Double

  /// - Parameter known: pictures of trained things, by their words; at least two.
  public init(
    _ known: [(word: String, pictures: [ConceptPicture])], model: DiffusionModel, window: TimestepWindow, draws: Int
  ) throws {
    guard known.count >= 2 else {
      throw InversionError(.invalidArgument, "one known word has no other to be compared with; give two or more")
    }
    try window.check(trainTimesteps: model.schedule.trainTimesteps)
    rows = try known.map { word, pictures in
      let validation = ValidationLoss(model: model, pictures: pictures, window: window, draws: draws)
      let own = mean(try validation.losses(text: word))
      let others = try known.filter { $0.word != word }.map { other in
        (word: other.word, loss: mean(try validation.losses(text: other.word)))
      }
      let neighbour = others.min { $0.loss < $1.loss } ?? (word: word, loss: own)
      return Row(
        word: word, loss: own, neighbour: neighbour.word, neighbourLoss: neighbour.loss,
        othersLoss: mean(others.map(\.loss)))
    }
    gapToNeighbour = mean(rows.map { 1 - $0.loss / $0.neighbourLoss })
    gapToOthers = mean(rows.map { 1 - $0.loss / $0.othersLoss })
  }
}

func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }
