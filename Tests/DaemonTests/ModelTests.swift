import Client
import Daemon
import DaemonTestSupport
import Errors
import Foundation
import Testing
import Wire

/// Several models behind one socket: loaded when asked for, one at a time, and gone when nobody asks.
@Suite(.timeLimit(.minutes(15))) struct ModelTests {
  private func request(_ model: String?, _ prompt: String = "x") -> GenerateRequest {
    var request = GenerateRequest(prompt: prompt)
    request.model = model
    request.steps = 2
    request.seed = 1
    return request
  }

  @Test func aModelIsLoadedWhenItIsAskedFor() async throws {
    let models = FastModels(["fast": 4, "wide": 6])
    let daemon = try LiveDaemon(others: models)
    let client = daemon.client
    #expect(try await client.models().models.map(\.name) == ["fast", "wide"])
    #expect(try await client.models().models.map(\.isLoaded) == [true, false])
    #expect(try await client.generate(request(nil)).model == "fast")
    #expect(models.loaded == ["fast"])
    #expect(try await client.generate(request("wide")).model == "wide")
    #expect(try await client.generate(request("wide")).model == "wide")
    #expect(models.loaded == ["fast", "wide"])
    #expect(try await client.processes().models.map(\.name) == ["wide"])
    let known = try await client.models().models
    #expect(
      known == [
        ModelReply(name: "fast", isLoaded: false, nativeSize: 16, embeddingWidth: 4),
        ModelReply(name: "wide", isLoaded: true, nativeSize: 16, embeddingWidth: 6),
      ])
    let error = await #expect(throws: InversionError.self) { try await client.generate(request("none")) }
    #expect(error?.code == .notFound)
  }

  @Test func switchingWaitsForTheRunningJob() async throws {
    let gate = StepGate()
    let models = FastModels(["fast": 4, "other": 4], gate: gate)
    let daemon = try LiveDaemon(FastMaker(gate: gate), others: models)
    let client = daemon.client
    let running = Task { try await client.generate(request(nil)) }
    while try await client.status().current == nil { await Task.yield() }
    let process = try #require(try await client.processes().models.first)
    #expect(process.name == "fast" && process.idleSeconds == 0, "it is in use")
    let other = Task { try await client.generate(request("other")) }
    while try await client.status().queue.waiting == 0 { await Task.yield() }
    #expect(models.loaded == ["fast"])
    gate.open(steps: 100)
    #expect(try await running.value.model == "fast")
    #expect(try await other.value.model == "other")
    #expect(models.loaded == ["fast", "other"])
  }

  @Test func eachModelHasTheWordsThatFitIt() async throws {
    let daemon = try LiveDaemon(others: FastModels(["fast": 4, "wide": 6]))
    let client = daemon.client
    _ = try await client.addEmbedding(embeddingFile(1, name: "<narrow>"), as: "narrow")
    let wide = try embeddingFile(1, name: "<wide>", width: 6)
    try Data(wide).write(to: URL(filePath: daemon.embeddingsFolder + "/wide.safetensors"))
    _ = try await client.rescan()
    let prompt = "a <narrow> and a <wide>"
    for (model, used) in [("fast", "<narrow>"), ("wide", "<wide>"), ("fast", "<narrow>")] {
      let reply = try await client.generate(request(model, prompt))
      #expect(reply.embeddings.used.map(\.name) == [used], "\(model)")
    }
  }

  @Test func anUnusedModelLeavesTheMemoryAndComesBack() async throws {
    let models = FastModels()
    let daemon = try LiveDaemon(others: models) { $0.limits.keepAlive = .milliseconds(20) }
    _ = try await daemon.client.generate(request(nil))
    while try await !daemon.client.processes().models.isEmpty { await Task.yield() }
    #expect(try await daemon.client.status().model.isLoaded == false)
    #expect(try await daemon.client.generate(request(nil)).pictures.count == 1)
    #expect(models.loaded == ["fast", "fast"])
  }

  @Test func aModelThatCannotBeLoadedFailsItsJobAlone() async throws {
    struct Broken: ModelCatalog {
      func names() -> [String] { ["broken", "fast"] }
      func load(_ name: String) throws -> any PictureMaker {
        guard name == "fast" else { throw InversionError(.badModel, "'\(name)' is broken") }
        return FastMaker()
      }
    }
    let daemon = try LiveDaemon(others: Broken())
    let error = await #expect(throws: InversionError.self) { try await daemon.client.generate(request("broken")) }
    #expect(error?.code == .badModel)
    #expect(try await daemon.client.generate(request(nil)).model == "fast")
  }
}
