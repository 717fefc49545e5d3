import Client
import Daemon
import DaemonTestSupport
import Errors
import Foundation
import Images
import Testing
import Wire

/// Each route, over a live socket, through the client.
@Suite(.timeLimit(.minutes(15))) struct RouteTests {
  private func request(_ prompt: String, _ change: (inout GenerateRequest) -> Void = { _ in }) -> GenerateRequest {
    var request = GenerateRequest(prompt: prompt)
    request.steps = 3
    change(&request)
    return request
  }

  @Test func picturesComeWithTheirSeedsAndInTheFormatAskedFor() async throws {
    let daemon = try LiveDaemon()
    let reply = try await daemon.client.generate(
      request("a cat") {
        $0.count = 3
        $0.seed = 41
        $0.format = "webp"
        $0.quality = 80
        $0.width = 24
      })
    #expect(reply.model == "fast" && reply.seed == 41)
    #expect(reply.pictures.map(\.seed) == [41, 42, 43])
    #expect(reply.pictures.allSatisfy { $0.width == 24 && $0.height == 16 && $0.format == "webp" })
    #expect(Set(reply.pictures.map(\.data)).count == 3)
    let file = [UInt8](reply.pictures[1].data)
    #expect(PictureFormat(sniffing: file) == .webp)
    #expect(readParameters(file) == reply.pictures[1].infotext)
    #expect(reply.pictures[1].infotext.contains("Seed: 42, Size: 24x16, Model: fast"))
    let timings = reply.timings
    #expect(timings.queued >= 0 && timings.prepare >= 0 && timings.denoise > 0 && timings.decode > 0)
  }

  @Test func equalRequestsGiveEqualPicturesAndSeedsAreRandomOtherwise() async throws {
    let daemon = try LiveDaemon()
    let first = try await daemon.client.generate(request("a cat"))
    let again = try await daemon.client.generate(request("a cat") { $0.seed = first.seed })
    let other = try await daemon.client.generate(request("a cat"))
    #expect(first.pictures == again.pictures)
    #expect(first.seed != other.seed)
  }

  @Test func eventsComeInOrder() async throws {
    let daemon = try LiveDaemon()
    var events: [GenerateEvent] = []
    _ = try await daemon.client.generate(request("a <dog>")) { events.append($0) }
    #expect(events.map(\.name) == ["queued", "started", "progress", "progress", "progress", "result"])
    guard case .started(let started) = events[1], case .progress(let last) = events[4] else {
      Issue.record("other events: \(events)")
      return
    }
    #expect(started.embeddings.unused == [EmbeddingUse.Unused(name: "<dog>", reason: "not in force")])
    #expect(last.step == 3 && last.steps == 3)
  }

  @Test func embeddingsCanBeAddedUsedReplacedAndRemoved() async throws {
    let daemon = try LiveDaemon()
    let client = daemon.client
    let added = try await client.addEmbedding(embeddingFile(1, name: "<my cat/ä>"), as: "my-cat")
    #expect(added.name == "<my cat/ä>" && added.alias == "my-cat" && added.file == "my-cat.safetensors")
    #expect(try await client.embedding("<my cat/ä>") == added)
    #expect(try await client.embedding("my-cat") == added)

    let first = try await client.generate(request("a my-cat") { $0.seed = 1 })
    #expect(first.embeddings.used.map(\.sha256) == [added.sha256])
    let replaced = try await client.addEmbedding(embeddingFile(2, name: "<my cat/ä>"), as: "my-cat")
    #expect(replaced.generation > added.generation)
    let second = try await client.generate(request("a my-cat") { $0.seed = 1 })
    #expect(second.embeddings.used.map(\.generation) == [replaced.generation])
    #expect(first.pictures != second.pictures)

    #expect(try await client.embeddings().embeddings == [replaced])
    #expect(try await client.removeEmbedding("<my cat/ä>").removed == "<my cat/ä>")
    #expect(try await client.embeddings().embeddings.isEmpty)
    await #expect(throws: InversionError.self) { try await client.embedding("my-cat") }
  }

  @Test func rejectedFilesAreListedWithTheirReason() async throws {
    let daemon = try LiveDaemon()
    let wide = try embeddingFile(0.1, name: "<w>", width: 768)
    try Data(wide).write(to: URL(filePath: daemon.embeddingsFolder + "/wide.safetensors"))
    let reply = try await daemon.client.rescan()
    #expect(reply.rejected.map(\.file) == ["wide.safetensors"])
    #expect(reply.rejected.first?.reason == "768 wide: made for SD 1.x (CLIP ViT-L); this model needs 4")
  }

  @Test func statusAndModels() async throws {
    let daemon = try LiveDaemon()
    let status = try await daemon.client.status()
    #expect(status.pid == getpid() && status.version == Daemon.version && status.current == nil)
    #expect(status.queue.waiting == 0 && status.residentBytes > 1 << 20 && status.uptimeSeconds >= 0)
    #expect(status.model == ModelReply(name: "fast", isLoaded: true, nativeSize: 16, embeddingWidth: 4))
    #expect(try await daemon.client.models() == ModelsReply(models: [status.model]))
  }

  @Test func metricsCountWhatHappens() async throws {
    let daemon = try LiveDaemon()
    _ = try await daemon.client.generate(request("a cat") { $0.count = 2 })
    await #expect(throws: InversionError.self) {
      try await daemon.client.generate(request("a <dog>") { $0.strict = true })
    }
    let curl = ["-s", "--unix-socket", daemon.socketPath, "http://localhost/metrics"]
    let text = try await Program.run("/usr/bin/curl", curl).output
    for line in [
      "inversion_jobs_total{end=\"done\"} 1", "inversion_jobs_total{end=\"unknown_embedding\"} 1",
      "inversion_pictures_total 2", "inversion_steps_total 3", "inversion_jobs_waiting 0", "inversion_embeddings 0",
      "# TYPE inversion_resident_bytes gauge", "# TYPE inversion_allocated_bytes gauge",
    ] { #expect(text.contains(line + "\n"), "\(text)") }
    // Every line is a comment or a name with a value.
    let sample = /inversion_\w+(\{\w+="\w+"\})? [0-9.e+-]+/
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      #expect(line.wholeMatch(of: sample) != nil, "\(line)")
    }
  }

  @Test func strictModeRefusesUnknownNames() async throws {
    let daemon = try LiveDaemon()
    let error = await #expect(throws: InversionError.self) {
      try await daemon.client.generate(request("a <dog>") { $0.strict = true })
    }
    #expect(error?.code == .unknownEmbedding)
  }

  @Test func noDaemonIsAClearError() async throws {
    let folder = try TemporaryFolder()
    let client = DaemonClient(socketPath: folder.path + "/none")
    let error = await #expect(throws: InversionError.self) { try await client.status() }
    #expect(error?.code == .daemonUnavailable)
    #expect(error?.message.contains("start one with 'inversiond --model DIR --embeddings DIR --socket") == true)
    let long = DaemonClient(socketPath: "/tmp/" + String(repeating: "x", count: 200))
    let tooLong = await #expect(throws: InversionError.self) { try await long.status() }
    #expect(tooLong?.code == .invalidArgument)
  }
}
