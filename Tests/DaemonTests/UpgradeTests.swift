import DaemonTestSupport
import Foundation
import Testing

/// A daemon that is replaced by another one on the same socket, as a service manager does it.
@Suite(.timeLimit(.minutes(2))) struct UpgradeTests {
  private static let order =
    "POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\n{\"prompt\":\"x\",\"steps\":1}"

  @Test func noRequestIsLost() async throws {
    let socket = try HeldSocket()
    let clients = Task {
      await withTaskGroup { group in
        for index in 0..<4 {
          let request = index.isMultiple(of: 2) ? Self.order : "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
          group.addTask { await Self.askUntilCancelled(request, socket.path) }
        }
        return await group.reduce(into: [:]) { sum, answers in sum.merge(answers, uniquingKeysWith: +) }
      }
    }
    for _ in 0..<25 {
      let daemon = try LiveDaemon(on: socket)
      for _ in 0..<5 { _ = try await daemon.client.status() }
      daemon.stop()
      try await daemon.stopped()
    }
    clients.cancel()
    // Of the last requests.
    let last = try LiveDaemon(on: socket)
    let answers = await clients.value
    last.stop()
    try await last.stopped()
    #expect(answers.count == 1 && answers["HTTP/1.1 200", default: 0] > 25, "\(answers)")
  }

  /// - Returns: how many answers began with these words.
  private static func askUntilCancelled(_ request: String, _ path: String) async -> [String: Int] {
    var answers: [String: Int] = [:]
    while !Task.isCancelled {
      guard let connection = RawConnection(path) else { return ["nobody listens": 1] }
      await connection.send(request)
      answers[String(await connection.receive(until: "}").prefix(12)), default: 0] += 1
    }
    return answers
  }
}
