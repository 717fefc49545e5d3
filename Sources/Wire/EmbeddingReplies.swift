/// An embedding that is in force: answer to `GET` and `PUT /v1/embeddings/{name}`.
public struct EmbeddingReply: Codable, Sendable, Equatable {
  /// The trigger word of prompts.
  public let name: String
  /// Second word for it, as a rule the stem of the file's name, when that differs and is free.
  public let alias: String?
  /// Relative to the embeddings folder.
  public let file: String
  public let vectors: Int
  public let width: Int
  public let sha256: String
  /// The store generation at which these vectors came into force.
  public let generation: Int
  /// The file's own: base model, settings, licence.
  public let metadata: [String: String]
  /// All second words, `alias` among them.
  public let aliases: [String]
  /// Which tool's kind of file it is.
  public let kind: String
  /// Mean length of the vectors.
  public let norm: Double
  /// What a user should know of it: what was left out of the file, lengths that are unusual for the model, a word of
  /// the vocabulary that it hides.
  public let notes: [String]

  public init(
    name: String, aliases: [String], file: String, vectors: Int, width: Int, sha256: String, generation: Int,
    metadata: [String: String], kind: String, norm: Double, notes: [String]
  ) {
    self.name = name
    self.aliases = aliases
    self.alias = aliases.first
    self.kind = kind
    self.norm = norm
    self.notes = notes
    self.file = file
    self.vectors = vectors
    self.width = width
    self.sha256 = sha256
    self.generation = generation
    self.metadata = metadata
  }
}

/// Answer to `GET /v1/embeddings` and `POST /v1/embeddings/rescan`.
public struct EmbeddingsReply: Codable, Sendable, Equatable {
  /// Counts the changes of the store.
  public let generation: Int
  public let embeddings: [EmbeddingReply]
  /// Files that are there and not in force, or not by all of their names.
  public let rejected: [RejectedReply]

  public init(generation: Int, embeddings: [EmbeddingReply], rejected: [RejectedReply]) {
    self.generation = generation
    self.embeddings = embeddings
    self.rejected = rejected
  }
}

public struct RejectedReply: Codable, Sendable, Equatable {
  public let file: String
  public let reason: String

  public init(file: String, reason: String) {
    self.file = file
    self.reason = reason
  }
}

/// Answer to `DELETE /v1/embeddings/{name}`.
public struct RemovedReply: Codable, Sendable, Equatable {
  public let removed: String
  public let generation: Int

  public init(removed: String, generation: Int) {
    self.removed = removed
    self.generation = generation
  }
}
