/// What a store knows of its model: which embeddings fit, and which words are taken.
public struct EmbeddingVocabulary: Sendable {
  /// Of the token embeddings.
  public let width: Int
  /// Tokens of a prompt, begin and end not counted.
  public let room: Int
  /// Mean norm of the token embeddings; nil where that is unknown.
  public let meanNorm: Double?
  /// Whether a text is one token of the vocabulary, as most common words are.
  let isWord: @Sendable (String) -> Bool

  public init(
    width: Int, room: Int = EmbeddingFile.vectorLimit, meanNorm: Double? = nil,
    isWord: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    precondition(width > 0 && room > 0)
    self.width = width
    self.room = room
    self.meanNorm = meanNorm
    self.isWord = isWord
  }

  private static let families = [
    192: "emoji-64", 768: "SD 1.x (CLIP ViT-L)", 1024: "SD 2.x (OpenCLIP ViT-H)",
    1280: "SDXL's second text encoder (OpenCLIP ViT-bigG)",
  ]

  /// The models that have token embeddings of a width.
  public static func family(ofWidth width: Int) -> String? { families[width] }

  /// Why an embedding cannot be used with this model; nil when it can.
  public func refusal(of embedding: LearnedEmbedding) -> String? {
    if embedding.width != width {
      let family = Self.family(ofWidth: embedding.width).map { "made for \($0)" } ?? "made for another model"
      return "\(embedding.width) wide: \(family); this model needs \(width)"
    }
    if embedding.isPerLayer {
      return "per-layer (XTI): \(embedding.layers) sets of vectors, one for each cross-attention layer; prompts take "
        + "one set for all layers"
    }
    if embedding.count > room {
      return "\(embedding.count) vectors; this model's prompts have room for \(room) tokens"
    }
    return nil
  }

  /// Learned vectors are longer than the vocabulary's, by up to this factor even when they work well.
  private static let usualExcess = 40.0
  private static let usualShortfall = 0.2

  /// What is unusual about the vectors' lengths, with the figures.
  func normWarning(of embedding: LearnedEmbedding) -> String? {
    guard let meanNorm, meanNorm > 0 else { return nil }
    let mean = embedding.meanNorm
    guard mean > Self.usualExcess * meanNorm || mean < Self.usualShortfall * meanNorm else { return nil }
    let effect = mean > meanNorm ? "it may drown the rest of a prompt" : "it may have no effect"
    return "vectors of norm \(short(mean)) in the mean, the vocabulary's have \(short(meanNorm)); \(effect)"
  }

  /// What a word hides: prompts with it get the embedding from now on.
  func shadowWarning(of word: String) -> String? {
    isWord(word) ? "'\(word)' is a word of the model's vocabulary; in prompts it now means this embedding" : nil
  }

  /// All that is unusual about an embedding that is called by `words`, with or without angle brackets.
  public func warnings(of embedding: LearnedEmbedding, words: [String]) -> [String] {
    var warnings = normWarning(of: embedding).map { [$0] } ?? []
    var seen: Set<String> = []
    for word in words.map(PromptNames.withoutBrackets) where seen.insert(word).inserted {
      if let warning = shadowWarning(of: word) { warnings.append(warning) }
    }
    return warnings
  }

  private func short(_ value: Double) -> String {
    let digits = (value * 1000).rounded() / 1000
    return "\(digits)"
  }
}
