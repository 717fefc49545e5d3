/// An immutable snapshot of the store: a request takes it once and keeps it to its end.
public struct EmbeddingTable: Sendable {
  /// Counts the changes of the store; equal generation, equal table.
  public let generation: Int
  /// By trigger word.
  public let embeddings: [String: LearnedEmbedding]
  /// Files that are there and not in force, each with its reason.
  public let rejected: [RejectedFile]

  public init(generation: Int = 0, embeddings: [String: LearnedEmbedding] = [:], rejected: [RejectedFile] = []) {
    self.generation = generation
    self.embeddings = embeddings
    self.rejected = rejected
  }
}

/// A file of the embeddings folder that could not be used.
public struct RejectedFile: Sendable, Equatable {
  public let path: String
  public let reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}
