import Errors
import FoundationEssentials
import NIOHTTP1
import Wire

/// Asks the daemon, over its Unix socket. Each call is a connection of its own; cancelling the task that calls hangs
/// up, and the daemon then ends the job.
///
/// All calls throw `.daemonUnavailable` when nobody answers, and the daemon's own errors with its codes.
public struct DaemonClient: Sendable {
  public let socketPath: String

  public init(socketPath: String) { self.socketPath = socketPath }

  public func status() async throws(InversionError) -> StatusReply { try await json(.GET, "/v1/status") }

  /// Returns when the daemon has read its settings and its embeddings folder again.
  public func reload() async throws(InversionError) -> ReloadReply { try await json(.POST, "/v1/reload") }

  public func processes() async throws(InversionError) -> ProcessesReply { try await json(.GET, "/v1/ps") }

  public func models() async throws(InversionError) -> ModelsReply { try await json(.GET, "/v1/models") }

  public func embeddings() async throws(InversionError) -> EmbeddingsReply { try await json(.GET, "/v1/embeddings") }

  public func rescan() async throws(InversionError) -> EmbeddingsReply {
    try await json(.POST, "/v1/embeddings/rescan")
  }

  public func embedding(_ name: String) async throws(InversionError) -> EmbeddingReply {
    try await json(.GET, "/v1/embeddings/\(percentEncoded(name))")
  }

  /// Uploads an embedding file.
  public func addEmbedding(_ bytes: [UInt8], as name: String) async throws(InversionError) -> EmbeddingReply {
    try await json(.PUT, "/v1/embeddings/\(percentEncoded(name))", body: bytes)
  }

  public func removeEmbedding(_ name: String) async throws(InversionError) -> RemovedReply {
    try await json(.DELETE, "/v1/embeddings/\(percentEncoded(name))")
  }

  public func cancel(job: String) async throws(InversionError) -> CancelReply {
    try await json(.POST, "/v1/cancel/\(percentEncoded(job))")
  }

  /// Orders pictures and waits for them.
  /// - Parameter onEvent: called with every event before the last.
  public func generate(
    _ request: GenerateRequest, onEvent: (GenerateEvent) -> Void = { _ in }
  ) async throws(InversionError) -> GenerateReply {
    var request = request
    request.stream = true
    let body = try encoded(request)
    var parser = EventStreamParser()
    var last: GenerateEvent?
    try await UnixHTTP(socketPath: socketPath).exchange(
      method: .POST, uri: "/v1/generate", headers: ["Accept": "text/event-stream"], body: body
    ) { part throws(InversionError) in
      for (name, data) in try parser.feed(part) {
        guard let event = try GenerateEvent(name: name, data: data) else { continue }
        last = event
        onEvent(event)
      }
    }
    switch last {
    case .result(let reply): return reply
    case .error(let reply): throw InversionError(reply)
    default:
      throw InversionError(.daemonUnavailable, "'\(socketPath)': the daemon hung up before the picture was done")
    }
  }

  private func json<T: Decodable>(
    _ method: HTTPMethod, _ uri: String, body: [UInt8] = []
  ) async throws(InversionError) -> T {
    var answer: [UInt8] = []
    try await UnixHTTP(socketPath: socketPath).exchange(method: method, uri: uri, headers: [:], body: body) {
      answer += $0
    }
    return try decoded(T.self, answer)
  }

  /// For one segment of a path.
  private func percentEncoded(_ text: String) -> String {
    text.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }.joined()
  }
}

extension InversionError {
  /// An error of the daemon, as if it had been thrown here.
  init(_ reply: ErrorReply) {
    self.init(Code(rawValue: reply.error.code) ?? .internal, reply.error.message)
  }
}

/// - Throws: `.internal` when the daemon's answer is not what the protocol says.
func decoded<T: Decodable>(_ type: T.Type, _ bytes: [UInt8]) throws(InversionError) -> T {
  do {
    return try JSONDecoder().decode(type, from: Data(bytes))
  } catch {
    throw InversionError(
      .internal, "the daemon's answer is no \(type); are client and daemon of the same version? (\(error))")
  }
}

private func encoded(_ value: some Encodable) throws(InversionError) -> [UInt8] {
  do {
    return try [UInt8](JSONEncoder().encode(value))
  } catch {
    throw InversionError(.invalidArgument, "the request cannot be written as JSON: \(error)")
  }
}

extension GenerateEvent {
  /// Nil for a name that a newer daemon may send.
  fileprivate init?(name: String, data: [UInt8]) throws(InversionError) {
    switch name {
    case "queued": self = .queued(try decoded(QueuedEvent.self, data))
    case "started": self = .started(try decoded(StartedEvent.self, data))
    case "progress": self = .progress(try decoded(ProgressEvent.self, data))
    case "result": self = .result(try decoded(GenerateReply.self, data))
    case "error": self = .error(try decoded(ErrorReply.self, data))
    default: return nil
    }
  }
}
