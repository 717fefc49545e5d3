import DaemonTestSupport
import Foundation
import Testing

/// What clients get that send something else than the protocol, byte by byte.
@Suite(.timeLimit(.minutes(15))) struct ErrorPathTests {
  /// Sends one request and returns the answer's status and body.
  private func answer(
    _ daemon: LiveDaemon, _ method: String, _ path: String, body: String = "", headers: [String] = []
  ) async throws -> (status: Int, head: String, body: String) {
    let head = [
      "\(method) \(path) HTTP/1.1", "Host: localhost", "Connection: close", "Content-Length: \(body.utf8.count)",
    ]
    return try await send(daemon, (head + headers + ["", body]).joined(separator: "\r\n"))
  }

  private func send(_ daemon: LiveDaemon, _ text: String) async throws -> (status: Int, head: String, body: String) {
    guard let connection = RawConnection(daemon.socketPath) else {
      Issue.record("no connection")
      return (0, "", "")
    }
    await connection.send(text)
    let answer = await connection.receive()
    let split = try #require(answer.range(of: "\r\n\r\n"), "no answer: \(answer)")
    let head = String(answer[..<split.lowerBound])
    return (Int(head.split(separator: " ")[1]) ?? 0, head, String(answer[split.upperBound...]))
  }

  private struct Failure: Decodable {
    struct Detail: Decodable { let code, message: String }
    let error: Detail
  }

  @Test(arguments: [
    ("GET", "/nope", "", 404, "not_found", "no such route"),
    ("GET", "/v1/embeddings/nope", "", 404, "not_found", "'nope'"),
    ("DELETE", "/v1/embeddings/nope", "", 404, "not_found", "'nope'"),
    ("POST", "/v1/cancel/77", "", 404, "not_found", "'77'"),
    ("GET", "/v1/generate", "", 405, "invalid_argument", "use POST"),
    ("PATCH", "/v1/embeddings/x", "", 405, "invalid_argument", "use DELETE, GET, PUT"),
    ("POST", "/v1/generate", "", 400, "invalid_argument", "cannot be read"),
    ("POST", "/v1/generate", "[1]", 400, "invalid_argument", "JSON object"),
    ("POST", "/v1/generate", "{\"prompt\":\"x\"", 400, "invalid_argument", "cannot be read"),
    ("POST", "/v1/generate", "{}", 400, "invalid_argument", "'prompt': missing"),
    ("POST", "/v1/generate", "{\"prompt\":7}", 400, "invalid_argument", "'prompt': not of type String"),
    (
      "POST", "/v1/generate", "{\"prompt\":\"x\",\"seed\":-1}", 400, "invalid_argument",
      "'seed': not a number of type UInt64"
    ),
    ("POST", "/v1/generate", "{\"prompt\":\"x\",\"steps\":1e9}", 400, "invalid_argument", "'steps'"),
    (
      "POST", "/v1/generate", "{\"prompt\":\"x\",\"steps\":2.5}", 400, "invalid_argument",
      "'steps': not a number of type Int"
    ),
    ("POST", "/v1/generate", "{\"prompt\":\"a <dog>\",\"strict\":true}", 422, "unknown_embedding", "'<dog>'"),
    ("PUT", "/v1/embeddings/x", "garbage", 422, "bad_file", "'x.safetensors'"),
    ("PUT", "/v1/embeddings/a%2Fb", "garbage", 400, "invalid_argument", "'a/b'"),
    ("PUT", "/v1/embeddings/%2E%2E", "garbage", 400, "invalid_argument", "'..'"),
    ("GET", "/v1/embeddings/%zz", "", 400, "invalid_argument", "percent"),
    ("GET", "/v1/embeddings/%FF", "", 400, "invalid_argument", "percent"),
    ("GET", "/v1/embeddings/%+1", "", 400, "invalid_argument", "percent"),
  ]) func everyErrorIsJSONWithItsStatus(
    method: String, path: String, body: String, status: Int, code: String, message: String
  ) async throws {
    let daemon = try LiveDaemon()
    let answer = try await answer(daemon, method, path, body: body)
    #expect(answer.status == status)
    #expect(answer.head.lowercased().contains("content-type: application/json"))
    let failure = try JSONDecoder().decode(Failure.self, from: Data(answer.body.utf8))
    #expect(failure.error.code == code)
    #expect(failure.error.message.contains(message), "\(failure.error.message)")
  }

  @Test func methodsThatAPathHasAreNamed() async throws {
    let answer = try await answer(LiveDaemon(), "POST", "/v1/embeddings/x")
    #expect(answer.head.contains("Allow: DELETE, GET, PUT"))
  }

  @Test func tooLargeBodies() async throws {
    let daemon = try LiveDaemon()
    let json = "{\"prompt\":\"\(String(repeating: "x", count: 2 << 20))\"}"
    #expect(try await answer(daemon, "POST", "/v1/images/generations", body: json).status == 413)
    let file = String(repeating: "x", count: 5 << 20)
    #expect(try await answer(daemon, "PUT", "/v1/embeddings/x", body: file).status == 413)
    // A body whose length nobody says.
    let chunk = "100000\r\n" + String(repeating: "x", count: 1 << 20) + "\r\n"
    let head =
      "POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(try await send(daemon, head + chunk + chunk + "0\r\n\r\n").status == 413)
    #expect(try await answer(daemon, "GET", "/healthz").status == 200)
  }

  @Test func tooLongHeadersAndNoHTTP() async throws {
    let daemon = try LiveDaemon()
    let field = "X-Long: " + String(repeating: "x", count: 10_000)
    let long = try await answer(daemon, "GET", "/healthz", headers: [field])
    #expect(long.status == 431 && long.body.contains("header is too long"))
    let many = (0..<200).map { "X-\($0): 1" }
    #expect(try await answer(daemon, "GET", "/healthz", headers: many).status == 431)
    let garbage = try await send(daemon, "\u{1}\u{2} garbage\r\n\r\n")
    #expect(garbage.status == 400 && garbage.body.contains("not HTTP/1.1"), "\(garbage)")
    #expect(try await answer(daemon, "GET", "/healthz").status == 200)
  }

  @Test func keepAliveServesOneRequestAfterAnother() async throws {
    let daemon = try LiveDaemon()
    let connection = try #require(RawConnection(daemon.socketPath))
    for _ in 0..<3 {
      await connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
      let one = await connection.receive(until: "\"ok\"}")
      #expect(one.contains("200 OK"))
    }
    // Two at once are answered in order.
    await connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: x\r\n\r\n")
    let both = await connection.receive(until: "no such route")
    #expect(both.contains("200 OK") && both.contains("404 Not Found"))
  }
}
