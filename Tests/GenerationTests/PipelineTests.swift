import Embeddings
import Errors
import Foundation
import Kernels
import Schedules
import Testing

@testable import Generation

/// The pipeline as the daemon uses it, on a tiny model with random weights.
@Suite struct PipelineTests {
  static let pipeline: Pipeline = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try! Pipeline(folder: root.path + "/ModelsTests/Golden/sd1-tiny")
  }()

  private func request(_ prompt: String = "a fox", _ change: (inout GenerationRequest) -> Void = { _ in })
    -> GenerationRequest
  {
    var request = GenerationRequest(prompt: prompt)
    request.steps = 3
    change(&request)
    return request
  }

  private func pictures(_ request: GenerationRequest, _ table: EmbeddingTable = EmbeddingTable()) throws -> [[UInt8]] {
    let synthesis = try Self.pipeline.begin(request, embeddings: table)
    #expect(Array(synthesis) == Array(1...request.steps))
    return try synthesis.decode().map(\.pixels)
  }

  private func embedding(_ name: String, vectors: Int, width: Int = 16, value: Float = 0.5) -> EmbeddingTable {
    let values = (0..<vectors * width).map { value * (Float($0 % 7) - 3) }
    return EmbeddingTable(
      generation: 3,
      embeddings: [name: LearnedEmbedding(name: name, vectors: values, width: width, sha256: "ab", generation: 2)])
  }

  private func expectError(_ code: InversionError.Code, naming words: String..., for body: () throws -> Void) {
    do {
      try body()
      Issue.record("no error")
    } catch let error as InversionError {
      #expect(error.code == code)
      for word in words { #expect(error.message.contains(word), "\(error.message)") }
    } catch {
      Issue.record("another error: \(error)")
    }
  }

  @Test func sameSeedSamePicture() throws {
    let first = try pictures(request())
    #expect(try pictures(request()) == first)
    #expect(try pictures(request { $0.seed = 1 }) != first)
    #expect(try pictures(request("a cat")) != first)
  }

  @Test func threadsDoNotMatter() throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    Parallel.threads = 1
    let single = try pictures(request { $0.count = 2 })
    Parallel.threads = 3
    #expect(try pictures(request { $0.count = 2 }) == single)
  }

  /// Picture i of a batch is the picture of seed + i alone, also where each step draws noise.
  @Test(arguments: [SamplerName.ddim, .eulerAncestral, .dpmppSDE, .lcm], NoiseGenerator.Name.allCases)
  func batchIsSeedBySeed(sampler: SamplerName, rng: NoiseGenerator.Name) throws {
    func request(_ seed: UInt64, count: Int = 1) -> GenerationRequest {
      self.request {
        ($0.seed, $0.count, $0.sampler, $0.rng) = (seed, count, sampler, rng)
      }
    }
    let batch = try pictures(request(10, count: 3))
    for index in 0..<3 {
      let alone = try pictures(request(10 + UInt64(index)))[0]
      let apart = zip(batch[index], alone).map { abs(Int($0) - Int($1)) }.max() ?? 0
      #expect(apart <= 1, "picture \(index)")
    }
  }

  /// Every sampler goes a way of its own, and one step gets to the end as well.
  @Test func allSamplersWork() throws {
    var seen: Set<[Float]> = []
    for sampler in SamplerName.allCases {
      for steps in [1, 4] {
        let request = request { ($0.sampler, $0.steps) = (sampler, steps) }
        let synthesis = try Self.pipeline.begin(request, embeddings: EmbeddingTable())
        #expect(Array(synthesis) == Array(1...steps))
        #expect(synthesis.latentPlanes.allSatisfy { abs($0) < 1e4 }, "\(sampler)")
        if steps > 1 { seen.insert(synthesis.latentPlanes) }
      }
    }
    #expect(seen.count == SamplerName.allCases.count)
  }

  @Test func generatorAndSchedulerMatter() throws {
    let plain = try pictures(request { $0.sampler = .euler })
    #expect(try pictures(request { ($0.sampler, $0.rng) = (.euler, .torchCPU) }) != plain)
    #expect(try pictures(request { ($0.sampler, $0.scheduler) = (.euler, .karras) }) != plain)
    #expect(try pictures(request { ($0.sampler, $0.scheduler) = (.euler, .normal) }) == plain)
  }

  /// From the picture of one seed to that of another.
  @Test func variation() throws {
    let (own, other) = (try pictures(request { $0.seed = 4 }), try pictures(request { $0.seed = 9 }))
    func varied(_ strength: Float, count: Int = 1) throws -> [[UInt8]] {
      try pictures(
        request {
          ($0.seed, $0.count, $0.variation) = (4, count, Variation(seed: 9, strength: strength))
        })
    }
    #expect(try varied(0) == own)
    #expect(try varied(1) == other)
    let half = try varied(0.5, count: 2)
    #expect(half[0] != own[0] && half[0] != other[0] && half[0] != half[1])
  }

  @Test func sizesAreThoseAskedFor() throws {
    let synthesis = try Self.pipeline.begin(
      request {
        $0.width = 24
        $0.height = 16
      }, embeddings: EmbeddingTable())
    let picture = try synthesis.decode()[0]
    #expect(picture.width == 24 && picture.height == 16)
  }

  @Test func embeddingsAreUsedAndNamed() throws {
    let table = embedding("<my-fox>", vectors: 2)
    let synthesis = try Self.pipeline.begin(request("a <my-fox> and my-fox, <other>"), embeddings: table)
    #expect(synthesis.used == [UsedEmbedding(name: "<my-fox>", sha256: "ab", generation: 2, vectors: 2)])
    #expect(synthesis.unused.map(\.name) == ["<other>"])
    let plain = try pictures(request("a fox"))
    #expect(try pictures(request("a <my-fox>"), table) != plain)
    #expect(try pictures(request("a fox"), table) == plain)
    #expect(try pictures(request("a fox") { $0.negativePrompt = "my-fox" }, table) != plain)
  }

  @Test func strictRefusesUnknownNames() {
    expectError(.unknownEmbedding, naming: "<nobody>") {
      _ = try Self.pipeline.begin(request("a <nobody>") { $0.strict = true }, embeddings: EmbeddingTable())
    }
  }

  @Test func wrongWidthSaysBothWidths() {
    expectError(.badEmbedding, naming: "<wide>", "24", "16") {
      _ = try Self.pipeline.begin(request("<wide>"), embeddings: embedding("<wide>", vectors: 1, width: 24))
    }
  }

  @Test(arguments: ["steps", "guidance_scale", "width", "height", "count", "clip_skip"])
  func refusesWhatItCannotDo(field: String) {
    let bad = request {
      switch field {
      case "steps": $0.steps = 0
      case "guidance_scale": $0.guidanceScale = .nan
      case "width": $0.width = 13
      case "height": $0.height = 1 << 20
      case "count": $0.count = 1000
      default: $0.clipSkip = 9
      }
    }
    expectError(.invalidArgument, naming: field == "steps" ? "steps" : field) {
      _ = try Self.pipeline.begin(bad, embeddings: EmbeddingTable())
    }
  }

  /// Another text-encoder layer, another picture; no guidance, no negative prompt.
  @Test func clipSkipAndGuidance() throws {
    let plain = try pictures(request())
    #expect(try pictures(request { $0.clipSkip = 2 }) != plain)
    let unguided = try pictures(request { $0.guidanceScale = 1 })
    #expect(
      try pictures(
        request {
          $0.guidanceScale = 1
          $0.negativePrompt = "a cat"
        }) == unguided)
  }
}
