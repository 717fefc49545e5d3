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
    let starts = Array(stride(from: 0, to: rows.count, by: width))
    var nearest = starts.map { _ in [Neighbour]() }
    // One row at a time: the table of Stable Diffusion has 300 MB in f64.
    for id in 0..<model.tokenizer.vocabularySize {
      let row = table.row(id).map(Double.init)
      for (index, start) in starts.enumerated() {
        let cosine = Self.cosine(rows[start..<start + width], row[...])
        guard cosine > nearest[index].last?.cosine ?? -2 || nearest[index].count < Self.neighbours else { continue }
        nearest[index].append(Neighbour(word: Self.word(id, model), cosine: cosine))
        nearest[index] = Array(nearest[index].sorted { $0.cosine > $1.cosine }.prefix(Self.neighbours))
      }
    }
    vectors = starts.enumerated().map { index, start in
      let row = rows[start..<start + width]
      let own = initializer.isEmpty ? nil : table.row(initializer[index % initializer.count]).map(Double.init)
      return Vector(
        norm: norm(row), nearest: nearest[index], initializerCosine: own.map { Self.cosine(row, $0[...]) })
    }
    vocabularyNorm = table.meanNorm
    let word = (0..<rows.count / width).map { model.textEncoder.config.vocabSize + $0 }
    contextDrift =
      initializer.isEmpty
      ? nil
      : try ContextTerm(word: word, initializer: initializer, model: model, memory: WorkingMemory()).drift(rows: rows)
    prior = initializer.isEmpty ? nil : try Self.prior(rows, word, initializer, model)
  }

  /// A token without the mark of a word's end.
  private static func word(_ id: Int, _ model: DiffusionModel) -> String {
    (model.tokenizer.token(Int32(id)) ?? "?").replacing("</w>", with: "")
  }

  /// 0 where one of them has no direction.
  private static func cosine(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
    let lengths = norm(a) * norm(b)
    return lengths == 0 ? 0 : dot(a, b) / lengths
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
    return cosine(beside[...], alone[...])
  }
}
