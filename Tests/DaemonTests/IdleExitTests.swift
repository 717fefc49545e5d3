import Client
import DaemonTestSupport
import Foundation
import Testing

@testable import Daemon

/// A daemon that ends when nobody comes, and leaves nobody without an answer.
@Suite(.timeLimit(.minutes(2))) struct IdleExitTests {
  @Test func onlyTimeWithoutAClientCounts() {
    let start = ContinuousClock.now
    var exit = IdleExit(after: .seconds(10), now: start)
    // In between, a client comes and goes between two looks (10), and one comes and stays (21 to 100).
    for (second, open, accepted, expected) in [
      (9, 0, 0, false), (11, 0, 1, false), (20, 0, 1, false), (22, 1, 2, false), (99, 1, 2, false), (108, 0, 2, false),
      (109, 0, 2, true),
    ] {
      let isDue = exit.isDue((open, accepted), now: start + .seconds(second))
      #expect(isDue == expected, "second \(second)")
    }
  }

  @Test func itEndsWhenNobodyComes() async throws {
    let log = RecordedLog()
    let daemon = try LiveDaemon(log: log) { $0.idleExit = .milliseconds(50) }
    try await daemon.stopped()
    #expect(log.lines.contains { $0.contains("ending until the next client comes") }, "\(log.lines)")
  }

  @Test func withoutAServiceManagerItStays() async throws {
    let folder = try TemporaryFolder()
    mkdir(folder.path + "/e", 0o700)
    let program = try Program("inversiond-for-tests", [folder.path + "/s", folder.path + "/e", "30", "0.05"])
    #expect(await program.errors(until: " serving ").contains("needs a socket of the service manager's, ignoring"))
    let client = DaemonClient(socketPath: folder.path + "/s")
    while try await client.status().uptimeSeconds < 0.3 { await Task.yield() }
    program.send(SIGTERM)
    #expect(await program.ended().status == 0)
  }

  @Test func theServiceManagersSocketStays() async throws {
    let activate = "/usr/bin/systemd-socket-activate"
    try #require(FileManager.default.isExecutableFile(atPath: activate), "install systemd")
    let folder = try TemporaryFolder()
    mkdir(folder.path + "/e", 0o700)
    let socket = folder.path + "/s"
    let daemon = Program.path("inversiond-for-tests")
    let program = try Program(
      activate, ["-l", socket, "--fdname=api", daemon, "/nonexistent/never-used", folder.path + "/e", "30", "0.5"])
    #expect(await program.errors(until: "Listening on").contains("Listening on"))
    #expect(try await DaemonClient(socketPath: socket).status().pid == program.pid)
    let ended = await program.ended()
    #expect(ended.status == 0 && ended.errors.contains("ending until the next client comes"), "\(ended.errors)")
    #expect(FileManager.default.fileExists(atPath: socket))
  }
}
