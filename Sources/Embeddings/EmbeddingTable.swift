/// An immutable snapshot of the store: a request takes it once and keeps it to its end.
public struct EmbeddingTable: Sendable, Equatable {
  /// Counts the changes of the store; equal generation, equal table.
  public let generation: Int
  /// By trigger word.
  public let embeddings: [String: LearnedEmbedding]
  /// Second words for the same vectors, each with the trigger word that it stands for: the stem of the file's name.
  public let aliases: [String: String]
  /// The file that each trigger word comes from, relative to the embeddings folder.
  public let files: [String: String]
  /// Files that are there and not in force, or not by all of their names, each with its reason.
  public let rejected: [RejectedFile]

  public init(
    generation: Int = 0, embeddings: [String: LearnedEmbedding] = [:], aliases: [String: String] = [:],
    files: [String: String] = [:], rejected: [RejectedFile] = []
  ) {
    precondition(aliases.values.allSatisfy { embeddings[$0] != nil })
    self.generation = generation
    self.embeddings = embeddings
    self.aliases = aliases
    self.files = files
    self.rejected = rejected
  }

  /// The embedding that a word stands for: a trigger word, with or without its angle brackets, or a file's stem.
  public subscript(word: String) -> LearnedEmbedding? {
    embeddings[word] ?? aliases[word].flatMap { embeddings[$0] } ?? embeddings["<\(word)>"]
  }
}

/// A file of the embeddings folder that could not be used, or not by all of its names.
public struct RejectedFile: Sendable, Equatable {
  /// Relative to the embeddings folder.
  public let path: String
  public let reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}
