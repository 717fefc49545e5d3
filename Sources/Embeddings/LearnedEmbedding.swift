/// What Textual Inversion learns: a few vectors that stand in the token embedding table under a name of their own.
public struct LearnedEmbedding: Sendable {
  /// The trigger word of prompts, as the file carries it: `<my-cat>`, or the file's stem.
  public let name: String
  /// A second word that the file carries: A1111 calls an embedding by its file's name, and writes another one inside.
  public let otherName: String?
  let storage: VectorStorage
  /// Tokens that the word stands for.
  public let count: Int
  public let width: Int
  /// 1; or 16 for extended Textual Inversion (XTI), which has vectors of its own for each cross-attention layer.
  public let layers: Int
  /// Mean length of the vectors.
  public let meanNorm: Double
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

  /// (layers, count, width), row-major. An embedding of a large store reads them from a file each time.
  public var vectors: [Float] { storage.floats }

  public init(
    name: String, otherName: String? = nil, vectors: [Float], width: Int, layers: Int = 1, sha256: String,
    metadata: [String: String] = [:], origin: EmbeddingOrigin? = nil, notes: [String] = [], generation: Int = 0
  ) {
    let norms = Self.norms(of: vectors, width: width)
    self.init(
      name: name, otherName: otherName, storage: .memory(vectors), width: width, layers: layers,
      meanNorm: norms.reduce(0, +) / Double(norms.count), sha256: sha256, metadata: metadata, origin: origin,
      notes: notes, generation: generation)
  }

  init(
    name: String, otherName: String?, storage: VectorStorage, width: Int, layers: Int, meanNorm: Double, sha256: String,
    metadata: [String: String], origin: EmbeddingOrigin?, notes: [String], generation: Int
  ) {
    precondition(width > 0 && layers > 0 && storage.count > 0 && storage.count % (layers * width) == 0)
    self.name = name
    self.otherName = otherName
    self.storage = storage
    self.count = storage.count / width / layers
    self.width = width
    self.layers = layers
    self.meanNorm = meanNorm
    self.sha256 = sha256
    self.metadata = metadata
    self.origin = origin
    self.notes = notes
    self.generation = generation
  }

  /// Whether each cross-attention layer has vectors of its own (XTI).
  public var isPerLayer: Bool { layers > 1 }

  /// The same vectors under another name.
  public func renamed(_ name: String) -> LearnedEmbedding { with(name: name, otherName: .some(nil)) }

  /// A copy with some parts changed.
  func with(
    name: String? = nil, otherName: String?? = nil, storage: VectorStorage? = nil, notes: [String]? = nil,
    generation: Int? = nil
  ) -> LearnedEmbedding {
    LearnedEmbedding(
      name: name ?? self.name, otherName: otherName ?? self.otherName, storage: storage ?? self.storage, width: width,
      layers: layers, meanNorm: meanNorm, sha256: sha256, metadata: metadata, origin: origin,
      notes: notes ?? self.notes, generation: generation ?? self.generation)
  }

  /// The lengths of the vectors.
  public var norms: [Double] { Self.norms(of: vectors, width: width) }

  private static func norms(of vectors: [Float], width: Int) -> [Double] {
    precondition(width > 0 && !vectors.isEmpty && vectors.count % width == 0)
    return stride(from: 0, to: vectors.count, by: width).map { start in
      vectors[start..<start + width].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
  }
}

extension LearnedEmbedding: Equatable {
  /// Files of equal content have equal vectors; those that were made here are compared one by one.
  public static func == (a: LearnedEmbedding, b: LearnedEmbedding) -> Bool {
    a.name == b.name && a.otherName == b.otherName && a.count == b.count && a.width == b.width && a.layers == b.layers
      && a.sha256 == b.sha256 && a.generation == b.generation && a.notes == b.notes && a.origin == b.origin
      && a.metadata == b.metadata && (!a.sha256.isEmpty || a.vectors == b.vectors)
  }
}
