import Models
import Ops

/// What can be said of a learned word without a picture.
public struct EmbeddingHealth: Sendable, Codable, Equatable {
  public struct Neighbour: Sendable, Codable, Equatable {
    public let word: String
    public let cosine: Double
  }

  /// Of each vector.
  public struct Vector: Sendable, Codable, Equatable {
    public let norm: Double
    /// The nearest words of the vocabulary.
    public let nearest: [Neighbour]
    /// To the initializer's word; nil where there is none.
    public let initializerCosine: Double?
  }

  public let vectors: [Vector]
  public let vocabularyNorm: Double
  /// 1 - cosine of the words that follow the learned word, against those that follow the initializer: how much it
  /// bends the rest of a prompt.
  public let contextDrift: Double?
  /// Prior check: cosine of what the text encoder makes of the initializer when the learned word stands before it,
  /// against when the initializer does. Near 1, the word means what it did.
  public let prior: Double?

  private static let neighbours = 5

  /// - Parameter initializer: ids of the vocabulary, or none.
  init(rows: [Double], initializer: [Int], model: DiffusionModel) throws {
    let width = model.textEncoder.config.hiddenSize
    let table = model.textEncoder.embeddings
    let vocabulary = (0..<model.tokenizer.vocabularySize).map { id in table.row(id).map(Double.init) }
    let lengths = vocabulary.map { norm($0[...]) }
    vectors = stride(from: 0, to: rows.count, by: width).enumerated().map { index, start in
      let row = rows[start..<start + width]
      let length = norm(row)
      func cosine(_ id: Int) -> Double {
        lengths[id] == 0 || length == 0 ? 0 : dot(row, vocabulary[id][...]) / (length * lengths[id])
      }
      let nearest = vocabulary.indices.map { (id: $0, cosine: cosine($0)) }.sorted { $0.cosine > $1.cosine }
      let words = nearest.prefix(Self.neighbours).map { near in
        Neighbour(word: model.tokenizer.token(Int32(near.id)) ?? "?", cosine: near.cosine)
      }
      let own = initializer.isEmpty ? nil : cosine(initializer[index % initializer.count])
      return Vector(norm: length, nearest: words, initializerCosine: own)
    }
    vocabularyNorm = table.meanNorm
    let word = (0..<rows.count / width).map { model.textEncoder.config.vocabSize + $0 }
    contextDrift =
      initializer.isEmpty
      ? nil
      : try ContextTerm(word: word, initializer: initializer, model: model, memory: WorkingMemory()).drift(rows: rows)
    prior = initializer.isEmpty ? nil : try Self.prior(rows, word, initializer, model)
  }

  private static func prior(
    _ rows: [Double], _ word: [Int], _ initializer: [Int], _ model: DiffusionModel
  ) throws -> Double {
    let width = model.textEncoder.config.hiddenSize
    // The output of the initializer's last token, behind "a photo of a … and a".
    func output(first: [Int]) throws -> [Double] {
      let start = model.tokenizer.encode("a photo of a").map(Int.init) + first
      let ids = start + model.tokenizer.encode("and a").map(Int.init) + initializer
      let tape = Tape(recording: false)
      let learned = tape.constant([rows.count / width, width], rows.map(Float.init))
      let states = model.textEncoder([try model.framed(ids)], learned: learned, on: tape).doubles
      // After the start token.
      return Array(states[ids.count * width..<(ids.count + 1) * width])
    }
    let (beside, alone) = (try output(first: word), try output(first: initializer))
    return dot(beside[...], alone[...]) / (norm(beside[...]) * norm(alone[...]))
  }
}
