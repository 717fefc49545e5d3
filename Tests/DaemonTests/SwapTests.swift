import Client
import Daemon
import DaemonTestSupport
import Embeddings
import Errors
import Foundation
import Testing
import Wire

/// An embedding that is swapped all the time while pictures are made with it. Benchmarks/swaps.py does the same ten
/// thousand times with a real model.
@Suite(.timeLimit(.minutes(15))) struct SwapTests {
  private static let swaps = 50
  private static let contents = 5

  private func request() -> GenerateRequest {
    var request = GenerateRequest(prompt: "a photo of <swap>")
    (request.steps, request.seed) = (2, 1)
    return request
  }

  private func swap(_ bytes: [UInt8], in daemon: LiveDaemon, number: Int) throws {
    let aside = "\(daemon.folder.path)/aside-\(number)"
    try Data(bytes).write(to: URL(filePath: aside))
    guard rename(aside, "\(daemon.embeddingsFolder)/swap.safetensors") == 0 else { throw POSIXError(.EIO) }
  }

  /// Returns when the store has this content in force.
  private func inForce(_ bytes: [UInt8], _ daemon: LiveDaemon) async throws -> EmbeddingReply {
    let sha256 = try EmbeddingFile.read(bytes: bytes, path: "x").sha256
    while true {
      if let reply = try? await daemon.client.embedding("<swap>"), reply.sha256 == sha256 { return reply }
      await Task.yield()
    }
  }

  @Test func everyPictureIsWhollyOfTheEmbeddingThatItNames() async throws {
    let daemon = try LiveDaemon()
    let files = try (0..<Self.contents).map { try embeddingFile(Float($0 + 1), name: "<swap>") }
    // What each content draws, by its hash.
    var references: [String: Data] = [:]
    for (number, file) in files.enumerated() {
      try swap(file, in: daemon, number: number)
      let sha256 = try await inForce(file, daemon).sha256
      references[sha256] = try await daemon.client.generate(request()).pictures[0].data
    }
    #expect(Set(references.values).count == Self.contents)

    let replies = try await withThrowingTaskGroup(of: [GenerateReply].self) { group in
      for _ in 0..<2 {
        group.addTask {
          var replies: [GenerateReply] = []
          while !Task.isCancelled { replies.append(try await daemon.client.generate(self.request())) }
          return replies
        }
      }
      var generations: [Int: String] = [:]
      for number in 0..<Self.swaps {
        let file = files[number % Self.contents]
        try swap(file, in: daemon, number: number)
        let reply = try await inForce(file, daemon)
        #expect(generations.updateValue(reply.sha256, forKey: reply.generation) == nil, "each swap is a generation")
      }
      group.cancelAll()
      var all: [GenerateReply] = []
      while let result = await group.nextResult() {
        // Cancelling ends a request that is under way, and nothing else may fail.
        switch result {
        case .success(let replies): all += replies
        case .failure(let error): #expect((error as? InversionError)?.code == .cancelled || error is CancellationError)
        }
      }
      for reply in all {
        let used = try #require(reply.embeddings.used.first)
        if let sha256 = generations[used.generation] { #expect(used.sha256 == sha256) }
      }
      return all
    }
    for reply in replies {
      let used = try #require(reply.embeddings.used.first)
      #expect(references[used.sha256] == reply.pictures[0].data)
    }
    daemon.stop()
    try await daemon.stopped()
  }
}
