/// What Textual Inversion learns: a few vectors that stand in the token embedding table under a name of their own.
public struct LearnedEmbedding: Sendable, Equatable {
  /// The trigger word of prompts, as the file carries it: `<my-cat>`, or the file's stem.
  public let name: String
  /// A second word that the file carries: A1111 calls an embedding by its file's name, and writes another one inside.
  public let otherName: String?
  /// (layers, count, width), row-major.
  public let vectors: [Float]
  /// Tokens that the word stands for.
  public let count: Int
  public let width: Int
  /// 1; or 16 for extended Textual Inversion (XTI), which has vectors of its own for each cross-attention layer.
  public let layers: Int
  /// Of the file's bytes, in lower-case hex.
  public let sha256: String
  /// The file's own string metadata: base model, settings, licence.
  public let metadata: [String: String]
  /// The kind of file that it came from; nil for one that was made here.
  public let origin: EmbeddingOrigin?
  /// What a user should know of how the file was read, such as a part of it that was left out.
  public let notes: [String]
  /// The store generation at which these vectors came into force.
  public let generation: Int

  public init(
    name: String, otherName: String? = nil, vectors: [Float], width: Int, layers: Int = 1, sha256: String,
    metadata: [String: String] = [:], origin: EmbeddingOrigin? = nil, notes: [String] = [], generation: Int = 0
  ) {
    precondition(width > 0 && layers > 0 && !vectors.isEmpty && vectors.count % (layers * width) == 0)
    self.name = name
    self.otherName = otherName
    self.vectors = vectors
    self.count = vectors.count / width / layers
    self.width = width
    self.layers = layers
    self.sha256 = sha256
    self.metadata = metadata
    self.origin = origin
    self.notes = notes
    self.generation = generation
  }

  /// Whether each cross-attention layer has vectors of its own (XTI).
  public var isPerLayer: Bool { layers > 1 }

  /// The same vectors under another name.
  public func renamed(_ name: String) -> LearnedEmbedding {
    LearnedEmbedding(
      name: name, vectors: vectors, width: width, layers: layers, sha256: sha256, metadata: metadata, origin: origin,
      notes: notes, generation: generation)
  }
}
