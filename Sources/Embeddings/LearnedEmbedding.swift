/// What Textual Inversion learns: a few vectors that stand in the token embedding table under a name of their own.
public struct LearnedEmbedding: Sendable, Equatable {
  /// The trigger word of prompts, as the file carries it: `<my-cat>`, or the file's stem.
  public let name: String
  /// (count, width), row-major.
  public let vectors: [Float]
  public let count: Int
  public let width: Int
  /// Of the file's bytes, in lower-case hex.
  public let sha256: String
  /// The file's own string metadata: base model, settings, licence.
  public let metadata: [String: String]
  /// The store generation at which these vectors came into force.
  public let generation: Int

  public init(
    name: String, vectors: [Float], width: Int, sha256: String, metadata: [String: String] = [:], generation: Int = 0
  ) {
    precondition(width > 0 && !vectors.isEmpty && vectors.count % width == 0)
    self.name = name
    self.vectors = vectors
    self.count = vectors.count / width
    self.width = width
    self.sha256 = sha256
    self.metadata = metadata
    self.generation = generation
  }
}
