import Embeddings
import Errors
import Models

/// The prompts of a request, which may change with the step, and the embeddings that they call.
struct PromptEncoding: Sendable {
  private let positive: PromptText
  private let negative: PromptText
  let used: [UsedEmbedding]
  let unused: [UnusedEmbedding]

  /// The chunks of both prompts at a step, from 0.
  func chunks(step: Int) -> (negative: PromptChunks, positive: PromptChunks) {
    (negative.chunks(step: step), positive.chunks(step: step))
  }
}

extension PromptEncoding {
  /// - Throws: `promptTooLong`, `badEmbedding`, and in strict mode `unknownEmbedding`.
  init(_ request: GenerationRequest, _ table: EmbeddingTable, _ model: DiffusionModel) throws {
    var reader = PromptReader(names: PromptNames(table: table), model: model, syntax: request.promptSyntax)
    positive = try PromptText(request.prompt, steps: request.steps, &reader)
    negative = try PromptText(request.negativePrompt, steps: request.steps, &reader)
    used = reader.used
    unused = reader.missing.map { UnusedEmbedding(name: $0, reason: Self.reason($0, table)) }
    if request.strict, let first = unused.first {
      throw InversionError(
        .unknownEmbedding, "the prompt names embedding '\(first.name)': \(first.reason); add it or leave it out")
    }
  }

  /// The same tokens at every step.
  init(positive: [Int], negative: [Int]) {
    func text(_ ids: [Int]) -> PromptText {
      PromptText(PromptChunks(chunks: [.init(ids: ids, weights: Array(repeating: 1, count: ids.count))]))
    }
    self.positive = text(positive)
    self.negative = text(negative)
    (used, unused) = ([], [])
  }

  private static func reason(_ name: String, _ table: EmbeddingTable) -> String {
    if ExtraNetworks.isCall(name) { return "files of that kind are not supported" }
    let bare = name.split(separator: ":").last.map(String.init) ?? name
    let stem = bare.filter { $0 != "<" && $0 != ">" }
    let rejected = table.rejected.first { file in
      file.path.split(separator: "/").last?.hasPrefix("\(stem).") ?? false
    }
    return rejected?.reason ?? "no embedding of that name is loaded"
  }
}

/// One prompt at all steps.
private struct PromptText: Sendable {
  /// Indices into `variants` of each step.
  private let variantOfStep: [Int]
  private let variants: [PromptChunks]

  init(_ chunks: PromptChunks) { (variantOfStep, variants) = ([], [chunks]) }

  init(_ prompt: String, steps: Int, _ reader: inout PromptReader) throws {
    guard reader.syntax == .a1111 else {
      (variantOfStep, variants) = ([], [try reader.read(prompt)])
      return
    }
    let (text, calls) = ExtraNetworks.removed(from: prompt)
    for call in calls { reader.addMissing(call) }
    let schedule = PromptSchedule(text, steps: steps)
    var seen: [String: Int] = [:]
    var variants: [PromptChunks] = []
    variantOfStep = try (0..<steps).map { step in
      let text = schedule.text(step: step)
      if let known = seen[text] { return known }
      variants.append(try reader.read(text))
      seen[text] = variants.count - 1
      return variants.count - 1
    }
    self.variants = variants
  }

  func chunks(step: Int) -> PromptChunks {
    variants[variantOfStep.isEmpty ? 0 : variantOfStep[min(step, variantOfStep.count - 1)]]
  }
}

/// AUTOMATIC1111's calls of networks beside the model, `<lora:name:0.8>`: no text, and nothing that is here.
private enum ExtraNetworks {
  private static let kinds = ["lora", "lyco", "hypernet"]

  static func isCall(_ name: String) -> Bool { kinds.contains { name.hasPrefix("<\($0):") } }

  /// The prompt without them, and each that it had.
  static func removed(from prompt: String) -> (text: String, calls: [String]) {
    var text = ""
    var calls: [String] = []
    var rest = prompt[...]
    while let start = rest.firstIndex(of: "<") {
      text += rest[..<start]
      rest = rest[start...]
      // A name is short, so that a prompt of open brackets is not searched to its end from each.
      let call = rest.prefix(256)
      if kinds.contains(where: { rest.hasPrefix("<\($0):") }), let end = call.firstIndex(of: ">") {
        calls.append(String(call[...end]))
        rest = rest[rest.index(after: end)...]
      } else {
        text += "<"
        rest = rest.dropFirst()
      }
    }
    return (text + rest, calls)
  }
}

/// Turns texts into chunks and collects what they call, each once.
private struct PromptReader {
  let names: PromptNames
  let model: DiffusionModel
  let syntax: PromptSyntax
  private(set) var used: [UsedEmbedding] = []
  private(set) var missing: [String] = []

  init(names: PromptNames, model: DiffusionModel, syntax: PromptSyntax) {
    self.names = names
    self.model = model
    self.syntax = syntax
  }

  mutating func addMissing(_ name: String) {
    if !missing.contains(name) { missing.append(name) }
  }

  mutating func read(_ text: String) throws -> PromptChunks {
    var rows = LearnedRows(first: model.textEncoder.config.vocabSize)
    guard syntax == .a1111 else {
      let ids = try tokens(text, &rows).flatMap(\.ids)
      let framed = try model.framed(ids)
      return PromptChunks(
        chunks: [.init(ids: framed, weights: Array(repeating: 1, count: framed.count))], embeddings: rows.embeddings)
    }
    var builder = ChunkBuilder(model)
    for piece in PromptWeights.pieces(text) {
      switch piece {
      case .chunkBreak: try builder.endChunk()
      case .text(let text, let weight):
        for run in try tokens(text, &rows) {
          switch run {
          case .words(let ids): try builder.append(ids, weight: Float(weight))
          case .embedding(let ids): try builder.append(embedding: ids, weight: Float(weight))
          }
        }
      }
    }
    return PromptChunks(chunks: try builder.finish(), embeddings: rows.embeddings)
  }

  private enum Run {
    case words([Int])
    case embedding(Range<Int>)

    var ids: [Int] {
      switch self {
      case .words(let ids): ids
      case .embedding(let ids): Array(ids)
      }
    }
  }

  private mutating func tokens(_ text: String, _ rows: inout LearnedRows) throws -> [Run] {
    let split = names.split(text)
    for name in split.missing { addMissing(name) }
    return try split.pieces.map { piece in
      switch piece {
      case .text(let text): return .words(model.tokenizer.encode(text).map(Int.init))
      case .embedding(let embedding):
        try check(embedding)
        add(embedding)
        return .embedding(rows.ids(of: embedding))
      }
    }
  }

  private func check(_ embedding: LearnedEmbedding) throws {
    let width = model.textEncoder.config.hiddenSize
    guard embedding.width == width else {
      throw InversionError(
        .badEmbedding, "embedding '\(embedding.name)' is \(embedding.width) wide, '\(model.name)' needs \(width)")
    }
    guard embedding.count <= model.promptRoom else {
      throw InversionError(
        .promptTooLong,
        "embedding '\(embedding.name)' has \(embedding.count) vectors, '\(model.name)' reads \(model.promptRoom) tokens"
      )
    }
  }

  private mutating func add(_ embedding: LearnedEmbedding) {
    guard !used.contains(where: { $0.name == embedding.name }) else { return }
    used.append(
      UsedEmbedding(
        name: embedding.name, sha256: embedding.sha256, generation: embedding.generation, vectors: embedding.count,
        notes: embedding.notes))
  }
}

/// The embeddings of one text, each once, with ids that go on behind the vocabulary's.
private struct LearnedRows {
  let first: Int
  private(set) var embeddings: [LearnedEmbedding] = []

  init(first: Int) { self.first = first }

  mutating func ids(of embedding: LearnedEmbedding) -> Range<Int> {
    var start = first
    for known in embeddings {
      if known.name == embedding.name { return start..<start + known.count }
      start += known.count
    }
    embeddings.append(embedding)
    return start..<start + embedding.count
  }
}
