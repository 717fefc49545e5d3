import Embeddings
import Errors
import Foundation
import Models

@testable import Generation

/// The names of embeddings in a prompt: every text piece is a stretch of it, in its order.
@Sendable func promptNames(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  var length = 0
  for piece in PromptNames(table: table).split(text).pieces {
    if case .text(let part) = piece { length += part.unicodeScalars.count }
  }
  precondition(length <= text.unicodeScalars.count)
}

/// The grammar alone: changes by step, weights, breaks. Nothing is in a result that was not in the prompt.
@Sendable func promptGrammar(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  let length = text.unicodeScalars.count
  for passed in [nil, 10] {
    let schedule = PromptSchedule(text, steps: 10, passed: passed)
    for step in 0..<10 { precondition(schedule.text(step: step).unicodeScalars.count <= length) }
  }
  var rest = length
  for case .text(let part, let weight) in PromptWeights.pieces(text) {
    precondition(abs(weight) <= PromptWeights.largest)
    rest -= part.unicodeScalars.count
  }
  precondition(rest >= 0)
}

/// The prompt of a request, in both syntaxes, up to the chunks that the embedded model's text encoder would run: each
/// is as long as it reads, of ids that the vocabulary and the called embeddings have.
@Sendable func promptEncoding(_ bytes: [UInt8]) {
  let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
  let texts = parts.map { String(decoding: $0, as: UTF8.self) }
  var request = GenerationRequest(prompt: texts.first ?? "")
  request.negativePrompt = texts.count > 1 ? texts[1] : ""
  request.steps = 6
  for syntax in PromptSyntax.allCases {
    request.promptSyntax = syntax
    refusing {
      let encoding = try PromptEncoding(request, table, model)
      for step in 0..<request.steps {
        let (negative, positive) = encoding.chunks(step: step)
        check(negative)
        check(positive)
      }
      for used in encoding.used { precondition(table.embeddings[used.name] != nil) }
    }
  }
}

private func check(_ prompt: PromptChunks) {
  precondition((1...ChunkBuilder.most).contains(prompt.chunks.count))
  let config = model.textEncoder.config
  let ids = 0..<config.vocabSize + prompt.embeddings.reduce(0) { $0 + $1.count }
  for chunk in prompt.chunks {
    precondition(chunk.ids.count == config.maxPositionEmbeddings && chunk.weights.count == chunk.ids.count)
    precondition(chunk.ids.allSatisfy(ids.contains) && chunk.weights.allSatisfy(\.isFinite))
  }
}

private let model: DiffusionModel = {
  let folder = URL(filePath: #filePath).appending(path: "../../../models/emoji-64").standardizedFileURL.path
  do { return try DiffusionModel(path: folder, parts: .decoder) } catch { preconditionFailure("\(error)") }
}()

/// Names that overlap, differ only in case or in brackets, and hold what the grammar uses; one is too wide for the
/// model, one longer than a chunk has room.
private let table: EmbeddingTable = {
  func embedding(_ name: String, count: Int = 2, width: Int = model.textEncoder.config.hiddenSize) -> LearnedEmbedding {
    LearnedEmbedding(name: name, vectors: Array(repeating: 0.1, count: count * width), width: width, sha256: "00")
  }
  let names = ["cat", "<cat>", "Cat", "cat-toy", "big cat", "v1.5", "a", "<s1>", "猫"]
  let all = names.map { embedding($0) } + [embedding("wide", width: 1), embedding("long", count: model.promptRoom + 1)]
  return EmbeddingTable(
    generation: 1, embeddings: Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) }), aliases: ["tabby": "<cat>"])
}()
