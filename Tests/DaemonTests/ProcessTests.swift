import Client
import DaemonTestSupport
import Errors
import Foundation
import Testing
import Wire

/// The daemon as a process: socket, signals, service manager. Its model is fast; a step takes 20 ms.
@Suite(.timeLimit(.minutes(15))) struct ProcessTests {
  private let folder: TemporaryFolder
  private var socket: String { folder.path + "/s" }
  private var client: DaemonClient { DaemonClient(socketPath: socket) }

  init() throws {
    folder = try TemporaryFolder()
    mkdir(folder.path + "/e", 0o700)
  }

  private func start(
    drainSeconds: Double = 30, environment: [String: String] = [:]
  ) async throws -> Program {
    let program = try Program(
      "inversiond-for-tests", [socket, folder.path + "/e", "\(drainSeconds)"], environment: environment)
    #expect(await program.errors(until: " serving ").contains(" serving "))
    return program
  }

  private func request(steps: Int) -> GenerateRequest {
    var request = GenerateRequest(prompt: "x")
    request.steps = steps
    return request
  }

  @Test func socketHasItsModeAndIsRemovedAtTheEnd() async throws {
    let program = try await start()
    var status = stat()
    #expect(lstat(socket, &status) == 0 && status.st_mode & 0o777 == 0o660 && status.st_mode & S_IFMT == S_IFSOCK)
    #expect(try await client.status().pid == program.pid)
    program.send(SIGTERM)
    let ended = await program.ended()
    #expect(ended.status == 0 && ended.output.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["e"])
  }

  @Test func aSecondDaemonIsRefusedAndTheFirstGoesOn() async throws {
    let first = try await start()
    let second = try await Program.run("inversiond-for-tests", [socket, folder.path + "/e"])
    #expect(second.status == InversionError.Code.socketInUse.exitStatus)
    #expect(second.errors.contains("'\(socket)': another daemon serves this socket"))
    #expect(try await client.status().pid == first.pid)
    first.send(SIGINT)
    #expect(await first.ended().status == 0)
  }

  @Test func theSocketOfAKilledDaemonIsReplaced() async throws {
    let first = try await start()
    first.send(SIGKILL)
    #expect(await first.ended().status == 128 + SIGKILL)
    #expect(FileManager.default.fileExists(atPath: socket))
    let second = try await start()
    #expect(try await client.status().pid == second.pid)
  }

  @Test func whatIsNoSocketIsNotReplaced() async throws {
    try "mine".write(toFile: socket, atomically: false, encoding: .utf8)
    let ended = try await Program.run("inversiond-for-tests", [socket, folder.path + "/e"])
    #expect(ended.status == InversionError.Code.socketInUse.exitStatus)
    #expect(try String(contentsOfFile: socket, encoding: .utf8) == "mine")
  }

  @Test func socketPathsThatCannotBe() async throws {
    let long = "/tmp/" + String(repeating: "x", count: 103)
    let tooLong = try await Program.run("inversiond-for-tests", [long, folder.path + "/e"])
    #expect(tooLong.status == InversionError.Code.invalidArgument.exitStatus)
    #expect(tooLong.errors.contains("108 bytes; the kernel takes 1 to 107"))
    let nowhere = try await Program.run("inversiond-for-tests", [folder.path + "/no/s", folder.path + "/e"])
    #expect(nowhere.status == InversionError.Code.fileUnavailable.exitStatus)
  }

  @Test func stopFinishesTheJobInProgress() async throws {
    let program = try await start()
    let reply = try await client.generate(request(steps: 20)) { event in
      if case .progress(let progress) = event, progress.step == 1 { program.send(SIGTERM) }
    }
    #expect(reply.pictures.count == 1)
    let ended = await program.ended()
    #expect(ended.status == 0 && ended.errors.contains("stopped"))
  }

  @Test func aSecondStopCancelsTheJobs() async throws {
    let program = try await start()
    let error = await #expect(throws: InversionError.self) {
      try await client.generate(request(steps: 1000)) { event in
        guard case .progress(let progress) = event else { return }
        // Signals may be merged on their way.
        if progress.step % 10 == 0 { program.send(SIGTERM) }
      }
    }
    #expect(error?.code == .cancelled)
    #expect(await program.ended().status == 0)
  }

  @Test func hangupReadsTheFolderAgain() async throws {
    let program = try await start()
    program.send(SIGHUP)
    // The daemon still serves afterwards.
    _ = try await client.addEmbedding(embeddingFile(1, name: "<cat>"), as: "cat")
    #expect(try await client.embeddings().embeddings.count == 1)
    program.send(SIGTERM)
    #expect(await program.ended().status == 0)
  }

  @Test func anInheritedSocketIsServed() async throws {
    let activate = "/usr/bin/systemd-socket-activate"
    try #require(FileManager.default.isExecutableFile(atPath: activate), "install systemd")
    let daemon = Program.path("inversiond-for-tests")
    let program = try Program(
      activate, ["-l", socket, "--fdname=api", daemon, "/nonexistent/never-used", folder.path + "/e"])
    // It starts the daemon when the first client comes.
    #expect(await program.errors(until: "Listening on").contains("Listening on"))
    let status = try await client.status()
    #expect(status.pid == program.pid)
    #expect(try await client.generate(request(steps: 2)).pictures.count == 1)
    program.send(SIGTERM)
    #expect(await program.ended().status == 0)
    #expect(FileManager.default.fileExists(atPath: socket), "the socket is the service manager's")
  }

  @Test func theServiceManagerIsToldWhatHappens() async throws {
    let manager = try NotifySocket(path: folder.path + "/notify")
    let program = try await start(environment: ["NOTIFY_SOCKET": manager.path])
    #expect(await manager.message() == "READY=1\nSTATUS=serving fast")
    program.send(SIGHUP)
    #expect(await manager.message() == "RELOADING=1")
    #expect(await manager.message() == "READY=1\nSTATUS=serving fast")
    program.send(SIGTERM)
    // 30 s to drain, 5 s to take the answers, 30 s for a last step.
    #expect(await manager.message() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=65000000\nSTATUS=finishing its jobs")
    #expect(await program.ended().status == 0)
  }

  @Test func theWatchdogGetsSignsOfLifeWhileIdleAndWhileSteppping() async throws {
    let manager = try NotifySocket(path: folder.path + "/notify")
    let program = try await start(environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"])
    #expect(await manager.message().hasPrefix("READY=1"))
    #expect(await manager.message() == "WATCHDOG=1")
    let job = Task { try await client.generate(request(steps: 100)) }
    for _ in 0..<4 { #expect(await manager.message() == "WATCHDOG=1") }
    #expect(try await job.value.pictures.count == 1)
    program.send(SIGTERM)
    #expect(await program.ended().status == 0)
  }
}
