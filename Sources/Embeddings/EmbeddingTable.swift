/// An immutable snapshot of the store: a request takes it once and keeps it to its end.
public struct EmbeddingTable: Sendable {
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
  /// How prompts call the embeddings.
  let words: PromptWords

  public init(
    generation: Int = 0, embeddings: [String: LearnedEmbedding] = [:], aliases: [String: String] = [:],
    files: [String: String] = [:], rejected: [RejectedFile] = []
  ) {
    precondition(aliases.values.allSatisfy { embeddings[$0] != nil })
    self.init(
      generation, embeddings, aliases, files, rejected, PromptWords(names: embeddings.keys, aliases: aliases))
  }

  private init(
    _ generation: Int, _ embeddings: [String: LearnedEmbedding], _ aliases: [String: String], _ files: [String: String],
    _ rejected: [RejectedFile], _ words: PromptWords
  ) {
    self.generation = generation
    self.embeddings = embeddings
    self.aliases = aliases
    self.files = files
    self.rejected = rejected
    self.words = words
  }

  /// The same names with other vectors for some.
  func replacing(_ embeddings: [String: LearnedEmbedding], generation: Int) -> EmbeddingTable {
    EmbeddingTable(generation, embeddings, aliases, files, rejected, words)
  }

  /// The second words of an embedding, sorted.
  public func aliases(of name: String) -> [String] { words.aliases[name] ?? [] }

  /// The embedding that a word stands for: a trigger word, with or without its angle brackets, or a file's stem.
  public subscript(word: String) -> LearnedEmbedding? {
    embeddings[word] ?? aliases[word].flatMap { embeddings[$0] } ?? embeddings["<\(word)>"]
  }
}

extension EmbeddingTable: Equatable {
  public static func == (a: EmbeddingTable, b: EmbeddingTable) -> Bool {
    a.generation == b.generation && a.embeddings == b.embeddings && a.aliases == b.aliases && a.files == b.files
      && a.rejected == b.rejected
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
