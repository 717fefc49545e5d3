import Embeddings
import Models
import Ops

extension EmbeddingVocabulary {
  /// What a model says of embeddings.
  public init(_ model: DiffusionModel) {
    let tokenizer = model.tokenizer
    self.init(
      width: model.textEncoder.config.hiddenSize, room: model.promptRoom,
      meanNorm: model.textEncoder.embeddings.sampledMeanNorm
    ) { word in
      tokenizer.id(ofToken: word.lowercased() + endOfWord) != nil
    }
  }
}

/// Stands behind the last piece of a word in CLIP's vocabularies.
private let endOfWord = "</w>"

extension TokenEmbedding {
  /// Rows to look at: enough for two digits, and few pages of a mapped table.
  private static let sampleSize = 128

  /// The mean length of rows, of some that lie evenly in the vocabulary.
  fileprivate var sampledMeanNorm: Double {
    let ids = Array(stride(from: 0, to: vocabularySize, by: max(1, vocabularySize / Self.sampleSize)))
    let norms = ids.map { id in row(id).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
    return norms.reduce(0, +) / Double(norms.count)
  }
}
