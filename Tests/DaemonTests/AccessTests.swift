import Client
import Daemon
import DaemonTestSupport
import Errors
import Foundation
import Testing
import Wire

/// Who may do what, and how much.
@Suite(.timeLimit(.minutes(15))) struct AccessTests {
  private func policy(_ access: String) throws -> AccessPolicy {
    let folder = try TemporaryFolder()
    let path = folder.path + "/c.toml"
    try "[access]\n\(access)".write(toFile: path, atomically: false, encoding: .utf8)
    return try ConfigurationFile(path: path).access
  }

  @Test func rolesByUserAndGroup() throws {
    let daemon = try #require(getpwnam("daemon")).pointee
    let policy = try policy("generate = ['@daemon']\nmanage = ['nobody']\nadmin = ['4001']")
    func role(_ user: UInt32, _ group: UInt32) -> Role { policy.role(of: Peer(user: user, group: group)) }
    #expect(role(4000, 4000) == .none && role(4000, daemon.pw_gid) == .generate)
    #expect(role(try #require(getpwnam("nobody")).pointee.pw_uid, 4000) == .manage)
    #expect(role(4001, 4000) == .admin && role(0, 0) == .admin && role(geteuid(), 4000) == .admin)
    #expect(policy.role(of: nil) == .none)
  }

  @Test func withoutAPolicyWhoeverOpensTheSocketMayAddWords() {
    let stranger = Peer(user: 4000, group: 4000)
    #expect(AccessPolicy().role(of: stranger) == .manage && AccessPolicy().role(of: nil) == .none)
  }

  /// Another user's client, as the kernel sees it: needs root to become one.
  @Test(.enabled(if: geteuid() == 0, "only root can be another user"))
  func anotherUserMayDoWhatItsRoleSays() async throws {
    let log = RecordedLog()
    let access = try policy("generate = ['*']\nmanage = ['daemon']\nadmin = []")
    let daemon = try LiveDaemon(log: log) { $0.access = access }
    func ask(_ user: String, _ arguments: String...) async throws -> Int? {
      let curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", daemon.socketPath]
      return Int(try await Program.run("/usr/sbin/runuser", ["-u", user, "--"] + curl + arguments).output)
    }
    chmod(daemon.folder.path, 0o755)
    chmod(daemon.socketPath, 0o666)
    let url = "http://localhost/v1"
    #expect(try await ask("nobody", "\(url)/generate", "-d", "{\"prompt\":\"x\",\"steps\":1}") == 200)
    #expect(try await ask("nobody", "-X", "POST", "\(url)/embeddings/rescan") == 403)
    #expect(try await ask("nobody", "-X", "DELETE", "\(url)/embeddings/x") == 403)
    #expect(try await ask("nobody", "-X", "POST", "http://localhost/sdapi/v1/options", "-d", "{}") == 403)
    #expect(try await ask("daemon", "-X", "POST", "\(url)/embeddings/rescan") == 200)
    let nobody = try #require(getpwnam("nobody")).pointee.pw_uid
    let denials = log.lines.filter { $0.contains("status=403") }
    #expect(denials.count == 3 && denials.allSatisfy { $0.hasPrefix("warning ") && $0.contains("uid=\(nobody)") })
    let job = try #require(log.lines.first { $0.hasPrefix("info job ") })
    for field in ["job=1", "uid=\(nobody)", "model=fast", "ms=", "peak_bytes=", "pictures=1"] {
      #expect(job.contains(field), "\(job)")
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can be another user"))
  func anotherUsersJobIsNotCancelled() async throws {
    let gate = StepGate()
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    chmod(daemon.folder.path, 0o755)
    chmod(daemon.socketPath, 0o666)
    let client = daemon.client
    let running = Task { try await client.generate(GenerateRequest(prompt: "x")) }
    while try await client.status().current == nil { await Task.yield() }
    let cancel = ["-X", "POST", "http://localhost/v1/cancel/1"]
    let curl = ["curl", "-s", "--unix-socket", daemon.socketPath] + cancel
    let ended = try await Program.run("/usr/sbin/runuser", ["-u", "nobody", "--"] + curl)
    #expect(ended.output.contains("\"not_allowed\""))
    gate.open(steps: 100)
    #expect(try await running.value.pictures.count == 1)
  }

  /// Who it was is known even when it has left before its request's turn comes.
  @Test func aClientThatHasLeftIsNotDenied() async throws {
    let log = RecordedLog()
    let daemon = try LiveDaemon(log: log)
    let count = 30
    for _ in 0..<count {
      let connection = try #require(RawConnection(daemon.socketPath))
      await connection.send("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
    }
    func lines() -> [String] { log.lines.filter { $0.contains("GET /v1/models") } }
    while lines().count < count { await Task.yield() }
    #expect(lines().allSatisfy { $0.contains("uid=\(geteuid())") && !$0.contains("status=403") }, "\(lines())")
  }

  // MARK: Limits

  private func failure(_ daemon: LiveDaemon, _ change: (inout GenerateRequest) -> Void) async -> InversionError? {
    var request = GenerateRequest(prompt: "x")
    request.steps = 2
    change(&request)
    do {
      _ = try await daemon.client.generate(request)
      return nil
    } catch { return error }
  }

  @Test func anOrderOverTheLimitIsRefusedWithTheFigures() async throws {
    let daemon = try LiveDaemon { $0.limits.pixelSteps = 16 * 16 * 2 * 2 }
    #expect(await failure(daemon) { $0.count = 2 } == nil)
    let error = await failure(daemon) { $0.count = 3 }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message == "3 x 16x16 pixels x 2 steps are 1536, over the limit of 1024; ask for less")
  }

  @Test func tooManyRequestsInAMinuteAreRefused() async throws {
    let daemon = try LiveDaemon { $0.limits.requestsPerMinute = 2 }
    #expect(await failure(daemon) { _ in } == nil)
    #expect(await failure(daemon) { _ in } == nil)
    let error = await failure(daemon) { _ in }
    #expect(error?.code == .busy && error?.message.contains("over 2 requests in a minute") == true)
    let connection = try #require(RawConnection(daemon.socketPath))
    await connection.send("POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"x\"}")
    let answer = await connection.receive(until: " s\"}")
    let told = try #require(answer.firstMatch(of: /try again in (\d+) s/)?.1, "\(answer)")
    #expect(answer.contains("Retry-After: \(told)\r\n"), "\(answer)")
  }

  @Test func aJobThatTakesTooLongIsEnded() async throws {
    let gate = StepGate.timed(milliseconds: 20)
    let daemon = try LiveDaemon(FastMaker(gate: gate)) { $0.limits.jobTime = .milliseconds(50) }
    let error = await failure(daemon) { $0.steps = 1000 }
    #expect(error?.code == .cancelled && error?.message.contains("the daemon's limit") == true)
  }
}
