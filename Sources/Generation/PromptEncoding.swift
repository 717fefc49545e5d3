import Embeddings
import Errors
import Models
import Ops

/// A prompt as the text encoder reads it: vocabulary ids, and ids from the vocabulary's size on for the vectors of
/// embeddings, which stand in `learned` in that order.
struct PromptEncoding {
  let positive: [Int]
  let negative: [Int]
  /// (n, width)
  let learned: [Float]
  let used: [UsedEmbedding]
  let unused: [UnusedEmbedding]
}

extension PromptEncoding {
  /// - Throws: `promptTooLong`, `badEmbedding`, and in strict mode `unknownEmbedding`.
  init(_ request: GenerationRequest, _ table: EmbeddingTable, _ model: DiffusionModel) throws {
    var reader = PromptReader(names: PromptNames(table: table), model: model)
    let positive = try reader.read(request.prompt)
    let negative = try reader.read(request.negativePrompt)
    let unused = reader.missing.map { UnusedEmbedding(name: $0, reason: Self.reason($0, table)) }
    if request.strict, let first = unused.first {
      throw InversionError(
        .unknownEmbedding, "the prompt names embedding '\(first.name)': \(first.reason); add it or leave it out")
    }
    self.init(
      positive: positive, negative: negative, learned: reader.learned, used: reader.used, unused: unused)
  }

  private static func reason(_ name: String, _ table: EmbeddingTable) -> String {
    let bare = name.split(separator: ":").last.map(String.init) ?? name
    let stem = bare.filter { $0 != "<" && $0 != ">" }
    let rejected = table.rejected.first { file in
      file.path.split(separator: "/").last?.hasPrefix("\(stem).") ?? false
    }
    return rejected?.reason ?? "no embedding of that name is loaded"
  }
}

/// Collects the embeddings of a request's prompts, each once.
private struct PromptReader {
  let names: PromptNames
  let model: DiffusionModel
  var learned: [Float] = []
  var used: [UsedEmbedding] = []
  var missing: [String] = []
  /// First id of each embedding met so far, by name.
  private var firstIDs: [String: Int] = [:]

  init(names: PromptNames, model: DiffusionModel) {
    self.names = names
    self.model = model
  }

  mutating func read(_ prompt: String) throws -> [Int] {
    let split = names.split(prompt)
    for name in split.missing where !missing.contains(name) { missing.append(name) }
    var ids: [Int] = []
    for piece in split.pieces {
      switch piece {
      case .text(let text): ids += model.tokenizer.encode(text).map(Int.init)
      case .embedding(let embedding):
        let first = try firstID(embedding)
        ids += first..<first + embedding.count
      }
    }
    return try model.framed(ids)
  }

  private mutating func firstID(_ embedding: LearnedEmbedding) throws -> Int {
    if let known = firstIDs[embedding.name] { return known }
    let width = model.textEncoder.config.hiddenSize
    guard embedding.width == width else {
      throw InversionError(
        .badEmbedding, "embedding '\(embedding.name)' is \(embedding.width) wide, '\(model.name)' needs \(width)")
    }
    let first = model.textEncoder.config.vocabSize + learned.count / width
    firstIDs[embedding.name] = first
    learned += embedding.vectors
    used.append(
      UsedEmbedding(
        name: embedding.name, sha256: embedding.sha256, generation: embedding.generation, vectors: embedding.count,
        notes: embedding.notes))
    return first
  }
}
