import Client
import Daemon
import DaemonTestSupport
import Embeddings
import Errors
import Foundation
import Synchronization
import Testing
import Wire

/// Jobs against each other, against clients that leave, and against a store that changes. A gate holds the denoiser, so
/// that each test decides what happens while a job runs.
@Suite(.timeLimit(.minutes(15))) struct JobTests {
  private let gate = StepGate()

  private func request(_ prompt: String, steps: Int = 3) -> GenerateRequest {
    var request = GenerateRequest(prompt: prompt)
    request.steps = steps
    request.seed = 1
    return request
  }

  /// A job under way, and what it has sent.
  private final class Running: Sendable {
    let task: Task<GenerateReply, any Error>
    private let events: AsyncStream<GenerateEvent>

    init(_ client: DaemonClient, _ request: GenerateRequest) {
      let (stream, continuation) = AsyncStream<GenerateEvent>.makeStream()
      events = stream
      task = Task {
        defer { continuation.finish() }
        return try await client.generate(request) { continuation.yield($0) }
      }
    }

    /// The next event of this name; nil when the job ends before.
    func event(_ name: String) async -> GenerateEvent? {
      for await event in events where event.name == name { return event }
      return nil
    }

    /// The code of the error that the job ended with; nil for success.
    func failure() async -> InversionError.Code? {
      do {
        _ = try await task.value
        return nil
      } catch {
        return (error as? InversionError)?.code
      }
    }
  }

  /// Returns when no job runs or waits any more. Asking is the only way for a client to know.
  private func becomesIdle(_ client: DaemonClient) async throws {
    while true {
      let status = try await client.status()
      if status.current == nil && status.queue.waiting == 0 { return }
      await Task.yield()
    }
  }

  @Test func runningJobKeepsItsSnapshotWhenTheStoreChanges() async throws {
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    let old = try await daemon.client.addEmbedding(embeddingFile(1, name: "<cat>"), as: "cat")
    let running = Running(daemon.client, request("a <cat>"))
    #expect(await running.event("started") != nil)
    let waiting = Running(daemon.client, request("a <cat>"))
    #expect(await waiting.event("queued") != nil)
    gate.open(steps: 1)
    #expect(await running.event("progress") != nil)
    let new = try await daemon.client.addEmbedding(embeddingFile(2, name: "<cat>"), as: "cat")
    let late = Running(daemon.client, request("a <cat>"))
    #expect(await late.event("queued") != nil)
    _ = try await daemon.client.removeEmbedding("cat")
    gate.open(steps: 100)
    let replies = try await (running.task.value, waiting.task.value, late.task.value)
    #expect(replies.0.embeddings.used.map(\.sha256) == [old.sha256])
    #expect(replies.1.embeddings.used.map(\.sha256) == [old.sha256], "what was in force when it was sent")
    #expect(replies.2.embeddings.used.map(\.sha256) == [new.sha256])
    #expect(replies.0.pictures == replies.1.pictures && replies.0.pictures != replies.2.pictures)
    let after = try await daemon.client.generate(request("a <cat>"))
    #expect(after.embeddings.unused.map(\.name) == ["<cat>"])
  }

  @Test func hangingUpCancelsTheRunningJobWithinAStep() async throws {
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    for accept in ["text/event-stream", "application/json"] {
      let body = "{\"prompt\":\"x\",\"steps\":1000}"
      var connection = RawConnection(daemon.socketPath)
      await connection?.send(
        "POST /v1/generate HTTP/1.1\r\nHost: x\r\nAccept: \(accept)\r\n"
          + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
      )
      while try await daemon.client.status().current == nil { await Task.yield() }
      connection = nil
      // One thread moves the daemon's bytes: after these answers it has seen the hang-up that came before them.
      for _ in 0..<3 { _ = try await daemon.client.status() }
      // A job that goes on would wait at the gate for ever.
      gate.open(steps: 1)
      try await becomesIdle(daemon.client)
    }
  }

  @Test func hangingUpTakesAWaitingJobOutOfTheQueue() async throws {
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    let running = Running(daemon.client, request("a"))
    #expect(await running.event("started") != nil)
    let waiting = Running(daemon.client, request("b"))
    #expect(await waiting.event("queued") == .queued(QueuedEvent(job: "2", ahead: 1)))
    waiting.task.cancel()
    #expect(await waiting.failure() == .cancelled)
    while try await daemon.client.status().queue.waiting > 0 { await Task.yield() }
    gate.open(steps: 100)
    #expect(try await running.task.value.job == "1")
  }

  @Test func aClientThatOnlyClosesItsSendingHalfGetsItsPicture() async throws {
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    let body = "{\"prompt\":\"x\",\"steps\":2}"
    let connection = try #require(RawConnection(daemon.socketPath))
    await connection.send(
      "POST /v1/generate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    connection.finishSending()
    while try await daemon.client.status().current == nil { await Task.yield() }
    gate.open(steps: 2)
    let answer = await connection.receive()
    #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.contains("\"pictures\""))
  }

  @Test func cancelByIdEndsRunningAndWaitingJobs() async throws {
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    let running = Running(daemon.client, request("a", steps: 1000))
    #expect(await running.event("started") != nil)
    let waiting = Running(daemon.client, request("b"))
    #expect(await waiting.event("queued") != nil)
    #expect(try await daemon.client.cancel(job: "2") == CancelReply(cancelled: "2"))
    #expect(await waiting.failure() == .cancelled)
    _ = try await daemon.client.cancel(job: "1")
    gate.open(steps: 1)
    #expect(await running.failure() == .cancelled)
    try await becomesIdle(daemon.client)
  }

  @Test func fullQueueRefusesWithRetryAfterAndRecovers() async throws {
    let daemon = try LiveDaemon(FastMaker(gate: gate)) { $0.limits.waitingPerUser = 1 }
    let running = Running(daemon.client, request("a"))
    #expect(await running.event("started") != nil)
    let waiting = Running(daemon.client, request("b"))
    #expect(await waiting.event("queued") != nil)
    #expect(await Running(daemon.client, request("c")).failure() == .busy)
    let connection = try #require(RawConnection(daemon.socketPath))
    await connection.send("POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"x\"}")
    let answer = await connection.receive(until: "\"busy\"")
    #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("Retry-After: 5"))
    let status = try await daemon.client.status()
    #expect(status.queue.waiting == 1 && status.current == StatusReply.CurrentJob(job: "1", step: 0, steps: 3))
    gate.open(steps: 100)
    _ = try await (running.task.value, waiting.task.value)
    #expect(await Running(daemon.client, request("d")).failure() == nil)
  }

  @Test func stopFinishesTheJobsAndServesWhoHasJustCome() async throws {
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    let running = Running(daemon.client, request("a"))
    #expect(await running.event("started") != nil)
    let waiting = Running(daemon.client, request("b"))
    #expect(await waiting.event("queued") != nil)
    let newcomer = try #require(RawConnection(daemon.socketPath))
    let silent = try #require(RawConnection(daemon.socketPath))
    let idle = try #require(RawConnection(daemon.socketPath))
    await idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    // Whoever came before is accepted too.
    #expect(await idle.receive(until: "\"ok\"}").contains("200"))
    daemon.stop()
    #expect(await idle.receive() == "")
    #expect(RawConnection(daemon.socketPath) == nil)
    await newcomer.send("POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"x\"}")
    gate.open(steps: 100)
    // It ends with the answer, and says so before.
    let answer = await newcomer.receive()
    #expect(answer.hasPrefix("HTTP/1.1 200") && answer.lowercased().contains("connection: close"))
    #expect(await silent.receive() == "")
    _ = try await (running.task.value, waiting.task.value)
    try await daemon.stopped()
  }

  @Test func ordersAfterTheDrainLimitAreRefused() async throws {
    let log = RecordedLog()
    let daemon = try LiveDaemon(FastMaker(), log: log) { ($0.drainLimit, $0.farewellLimit) = (.zero, .seconds(100)) }
    let newcomer = try #require(RawConnection(daemon.socketPath))
    await newcomer.send("POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"prompt\"")
    _ = try await daemon.client.status()
    daemon.stop()
    while !log.lines.contains(where: { $0.contains("not done after") }) { await Task.yield() }
    await newcomer.send(":\"x\"}")
    let answer = await newcomer.receive()
    #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("stopping"))
    try await daemon.stopped()
  }

  @Test func jobsThatOutlastTheDrainLimitAreCancelled() async throws {
    let slow = StepGate.timed(milliseconds: 20)
    let daemon = try LiveDaemon(FastMaker(gate: slow)) {
      ($0.drainLimit, $0.farewellLimit) = (.milliseconds(1), .seconds(100))
    }
    let running = Running(daemon.client, request("a", steps: 1000))
    #expect(await running.event("started") != nil)
    daemon.stop()
    #expect(await running.failure() == .cancelled)
    try await daemon.stopped()
  }

  @Test func halfRequestsAndSilentClientsAreHungUpOn() async throws {
    let daemon = try LiveDaemon(FastMaker()) { $0.idleTimeout = .milliseconds(500) }
    for text in ["", "GET /healthz HT", "POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"pro"] {
      let connection = try #require(RawConnection(daemon.socketPath))
      await connection.send(text)
      #expect(await connection.receive().isEmpty)
    }
    daemon.stop()
    try await daemon.stopped()
  }

  /// A daemon that is told to stop while an answer of 4 MB, noise, more than a socket holds, is on its way.
  private func stopBeforeALongAnswerIsRead(_ farewell: Duration) async throws -> (LiveDaemon, RawConnection) {
    let daemon = try LiveDaemon(FastMaker(gate: gate)) { $0.farewellLimit = farewell }
    let body = "{\"prompt\":\"x\",\"steps\":1,\"count\":16,\"width\":256,\"height\":256}"
    let connection = try #require(RawConnection(daemon.socketPath))
    await connection.send("POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    while try await daemon.client.status().current == nil { await Task.yield() }
    gate.open(steps: 1)
    try await becomesIdle(daemon.client)
    daemon.stop()
    return (daemon, connection)
  }

  private static let longAnswer = 16 * 256 * 256 * 3

  @Test func stopDoesNotCutALongAnswerOff() async throws {
    let (daemon, connection) = try await stopBeforeALongAnswerIsRead(.seconds(50))
    let answer = await connection.receive()
    #expect(answer.utf8.count > Self.longAnswer && answer.hasSuffix("}"))
    try await daemon.stopped()
  }

  @Test func aClientThatNeverReadsDoesNotHoldTheDaemonUp() async throws {
    let (daemon, connection) = try await stopBeforeALongAnswerIsRead(.milliseconds(50))
    try await daemon.stopped()
    #expect(await connection.receive().utf8.count < Self.longAnswer)
  }

  @Test func aClientThatNeverReadsIsHungUpOn() async throws {
    let daemon = try LiveDaemon { $0.idleTimeout = .milliseconds(300) }
    let body = "{\"prompt\":\"x\",\"steps\":1,\"count\":16,\"width\":256,\"height\":256}"
    let connection = try #require(RawConnection(daemon.socketPath))
    await connection.send("POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    await connection.hungUp()
    #expect(await connection.receive().utf8.count < Self.longAnswer)
  }

  @Test func manySwapsUnderLoadFailNoRequest() async throws {
    let daemon = try LiveDaemon()
    _ = try await daemon.client.addEmbedding(embeddingFile(0, name: "<cat>"), as: "cat")
    for count in 0..<200 {
      async let pending = daemon.client.generate(request("a <cat>", steps: 1))
      for swap in 0..<5 {
        let next = daemon.embeddingsFolder + "/.next"
        try Data(embeddingFile(Float((count + swap) % 7), name: "<cat>")).write(to: URL(filePath: next))
        #expect(rename(next, daemon.embeddingsFolder + "/cat.safetensors") == 0)
      }
      let reply = try await pending
      #expect(reply.embeddings.used.count == 1)
    }
  }
}
