import Embeddings
import Errors
import Foundation
import Models
import Ops
import Testing

@testable import Generation

/// From a prompt to what cross-attention sees, on a tiny model whose text encoder reads 77 tokens.
@Suite struct PromptEncodingTests {
  private let pipeline: Pipeline
  private let model: DiffusionModel

  init() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    pipeline = try Pipeline(folder: root.path + "/ModelsTests/Golden/sd1-tiny")
    model = pipeline.model
  }

  private func request(_ prompt: String, _ change: (inout GenerationRequest) -> Void = { _ in }) -> GenerationRequest {
    var request = GenerationRequest(prompt: prompt)
    request.steps = 4
    change(&request)
    return request
  }

  private func encoding(_ request: GenerationRequest, _ table: EmbeddingTable = EmbeddingTable()) throws
    -> PromptEncoding
  {
    try PromptEncoding(request, table, model)
  }

  private func table(_ name: String, vectors: Int) -> EmbeddingTable {
    let values = (0..<vectors * 16).map { 0.5 * (Float($0 % 7) - 3) }
    return EmbeddingTable(
      generation: 3,
      embeddings: [name: LearnedEmbedding(name: name, vectors: values, width: 16, sha256: "ab", generation: 2)])
  }

  /// `count` tokens.
  private func words(_ count: Int) -> String { Array(repeating: "a", count: count).joined(separator: " ") }

  /// Tokens of each chunk, without the frame.
  private func lengths(_ prompt: String, _ table: EmbeddingTable = EmbeddingTable()) throws -> [Int] {
    try encoding(request(prompt), table).chunks(step: 0).positive.chunks.map { chunk in
      #expect(chunk.ids.count == 77 && chunk.weights.count == 77 && chunk.ids[0] == Int(model.tokenizer.bos))
      return (chunk.ids.firstIndex(of: Int(model.tokenizer.eos)) ?? 0) - 1
    }
  }

  // MARK: Chunks

  @Test func longPromptsTakeSeveralChunks() throws {
    #expect(try lengths("") == [0])
    #expect(try lengths(words(75)) == [75])
    #expect(try lengths(words(76)) == [75, 1])
    #expect(try lengths(words(200)) == [75, 75, 50])
    #expect(try lengths("a a BREAK a") == [2, 1])
    #expect(try lengths(words(75) + " BREAK a") == [75, 1])
    #expect(try lengths("BREAK") == [0])
    #expect(try lengths("BREAK a") == [0, 1])
  }

  @Test func whatFollowsANearCommaGoesOver() throws {
    #expect(try lengths(words(70) + ", " + words(10)) == [71, 10])
    #expect(try lengths(words(40) + ", " + words(40)) == [75, 6])
    // A comma that would begin a chunk is one more than fits.
    #expect(try lengths(words(75) + ", a") == [75, 2])
  }

  @Test func embeddingsStayWhole() throws {
    let table = table("<two>", vectors: 2)
    #expect(try lengths(words(73) + " <two> a", table) == [75, 1])
    #expect(try lengths(words(74) + " <two>", table) == [74, 2])
    let encoding = try encoding(request("a (<two>:1.5) [two]"), table)
    let chunk = encoding.chunks(step: 0).positive.chunks[0]
    let first = model.textEncoder.config.vocabSize
    #expect(Array(chunk.ids[2..<6]) == [first, first + 1, first, first + 1])
    #expect(chunk.weights.prefix(7) == [1, 1, 1.5, 1.5, Float(1 / 1.1), Float(1 / 1.1), 1])
    #expect(encoding.used.map(\.name) == ["<two>"] && encoding.used[0].vectors == 2 && encoding.unused.isEmpty)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    func refusal(_ prompt: String, _ table: EmbeddingTable = EmbeddingTable(), plain: Bool = false) -> String? {
      let error = #expect(throws: InversionError.self) {
        try encoding(request(prompt) { $0.promptSyntax = plain ? .plain : .a1111 }, table)
      }
      #expect(error?.code == .promptTooLong)
      return error?.message
    }
    #expect(refusal("<big>", table("<big>", vectors: 76))?.contains("'<big>' has 76 vectors") == true)
    #expect(refusal(words(16 * 75 + 1))?.contains("1200 tokens") == true)
    #expect(try lengths(words(16 * 75)).count == 16)
    #expect(refusal(words(76), plain: true)?.contains("75") == true)
  }

  @Test func plainIsPlain() throws {
    let plain = try encoding(request("(a BREAK [b:c:2]") { $0.promptSyntax = .plain }).chunks(step: 0).positive
    #expect(plain.chunks.count == 1 && !plain.chunks[0].isWeighted)
    let tokens = model.tokenizer.encode("(a BREAK [b:c:2]").map(Int.init)
    #expect(Array(plain.chunks[0].ids[1...tokens.count]) == tokens)
  }

  // MARK: Hidden states

  @Test func weightsMultiplyAndTheMeanStays() throws {
    let tape = Tape(recording: false)
    let weighted = try encoding(request("a (small:1.5) fox")).chunks(step: 0).positive
    let plain = try encoding(request("a small fox")).chunks(step: 0).positive
    #expect(weighted.chunks[0].ids == plain.chunks[0].ids)
    let states = pipeline.states.states(weighted, clipSkip: 1, model, on: tape)
    var expected = model.textEncoder([plain.chunks[0].ids], on: tape).floats
    let before = expected.reduce(0, +)
    for index in 2 * 16..<3 * 16 { expected[index] *= 1.5 }
    let scale = before / expected.reduce(0, +)
    for (index, value) in expected.enumerated() { #expect(abs(states[index] - value * scale) < 1e-4 * abs(scale)) }
    #expect(abs(states.reduce(0, +) - before) < 1e-2)
  }

  @Test func theShorterPromptHasEmptyChunksBehindIt() throws {
    let tape = Tape(recording: false)
    let long = request(words(80)) { $0.negativePrompt = "a fox" }
    var contexts = StepContexts(try encoding(long), pipeline.states, long, model)
    let rows = contexts.context(step: 0, on: tape).0.rows(layer: 0).keys
    #expect(rows.shape == [2, 154, 16])
    let empty = try model.framed([])
    #expect(Array(rows.floats[77 * 16..<154 * 16]) == model.textEncoder([empty], on: tape).floats)
    #expect(contexts.context(step: 1, on: tape).isNew == false)
  }

  @Test func theTextEncoderRunsOncePerPrompt() throws {
    func run(_ request: GenerationRequest) throws -> Int {
      let before = pipeline.states.runs
      let synthesis = try pipeline.begin(request, embeddings: table("<two>", vectors: 2))
      #expect(Array(synthesis) == Array(1...request.steps))
      return pipeline.states.runs - before
    }
    #expect(try run(request("a fox")) == 2)
    #expect(try run(request("a fox") { $0.seed = 3 }) == 0)
    #expect(try run(request("a fox") { $0.clipSkip = 2 }) == 2)
    #expect(try run(request("a <two>") { $0.guidanceScale = 1 }) == 1)
    #expect(try run(request("a <two>") { $0.negativePrompt = "a fox" }) == 0)
    #expect(try run(request("[a dog|a cat]") { ($0.steps, $0.negativePrompt) = (9, "a fox") }) == 2)
    // More than are kept: the first is encoded again.
    for index in 0..<PromptStates.most { #expect(try run(request(words(index + 2)) { $0.guidanceScale = 1 }) == 1) }
    #expect(try run(request("a fox") { $0.guidanceScale = 1 }) == 1)
    #expect(try run(request("a fox") { $0.guidanceScale = 1 }) == 0)
  }

  // MARK: Through the pipeline

  private func picture(_ request: GenerationRequest) throws -> [UInt8] {
    let synthesis = try pipeline.begin(request, embeddings: table("<two>", vectors: 2))
    #expect(Array(synthesis) == Array(1...request.steps))
    return try synthesis.decode()[0].pixels
  }

  @Test func promptsChangeWithTheStep() throws {
    let (fox, cat) = (try picture(request("a fox")), try picture(request("a cat")))
    #expect(try picture(request("a [cat:fox:0]")) == fox)
    #expect(try picture(request("a [fox:cat:4]")) == fox)
    let switched = try picture(request("a [fox:cat:.5]"))
    #expect(switched != fox && switched != cat)
    #expect(try picture(request("a (fox:1.0)")) == fox)
    #expect(try picture(request("a (fox:1.4)")) != fox)
  }

  @Test func networksThatAreNotHereAreTold() throws {
    let prompt = request("a fox<lora:detail:0.8> <hypernet:x:1>")
    let synthesis = try pipeline.begin(prompt, embeddings: EmbeddingTable())
    #expect(synthesis.unused.map(\.name) == ["<lora:detail:0.8>", "<hypernet:x:1>"])
    #expect(synthesis.unused.allSatisfy { $0.reason.contains("not supported") })
    #expect(try picture(prompt) == picture(request("a fox ")))
    #expect(throws: InversionError.self) { try encoding(request("<lora:x:1>") { $0.strict = true }) }
  }
}
