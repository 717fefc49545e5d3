import Embeddings
import Errors
import Models

/// The word that is learned, as the model's text encoder knows it: its token ids lie behind the vocabulary.
struct LearnedWord: Sendable {
  let model: DiffusionModel
  let name: String
  let vectors: Int

  /// - Throws: `invalidArgument` when prompts could not use the name, or it means something already.
  init(_ name: String, vectors: Int, model: DiffusionModel) throws {
    guard EmbeddingFile.isUsable(name: name), !name.contains(where: \.isWhitespace) else {
      throw InversionError(
        .invalidArgument, "token '\(name)': prompts need one printable word of at most \(EmbeddingFile.nameLimit) bytes"
      )
    }
    guard model.tokenizer.encode(name).count > 1 else {
      throw InversionError(
        .invalidArgument,
        "token '\(name)' is in the vocabulary of '\(model.name)' already; choose a new word, as '<\(name)>'")
    }
    self.model = model
    self.name = name
    self.vectors = vectors
  }

  /// The ids of its vectors: behind the vocabulary's.
  var ids: [Int] {
    let first = model.textEncoder.config.vocabSize
    return Array(first..<first + vectors)
  }

  /// The ids of a template with the word in its gap, framed for the text encoder.
  /// - Throws: `promptTooLong`.
  func ids(of template: String) throws -> [Int] { try model.captionIDs(of: template, word: ids) }
}

extension DiffusionModel {
  /// The ids of a template with `word` in its gap, framed for the text encoder.
  /// - Throws: `promptTooLong`.
  func captionIDs(of template: String, word: [Int]) throws -> [Int] {
    var ids: [Int] = []
    for (index, piece) in template.pieces.enumerated() {
      if index > 0 { ids += word }
      ids += tokenizer.encode(piece).map(Int.init)
    }
    return try framed(ids)
  }

  /// The one token of an initializer word.
  /// - Throws: `invalidArgument` when it is no single token.
  func initializerID(_ word: String) throws -> Int {
    let ids = tokenizer.encode(word)
    guard ids.count == 1, let id = ids.first else {
      let tokens = ids.compactMap { tokenizer.token($0) }.map { "'\($0)'" }.joined(separator: ", ")
      let reason = ids.isEmpty ? "is empty" : "is no word of the vocabulary, but \(ids.count) tokens: \(tokens)"
      throw InversionError(
        .invalidArgument, "initializer word '\(word)' \(reason); choose one plain word that comes near")
    }
    return Int(id)
  }
}
