import Hummingbird
import Logging

/// One line a request.
struct AccessLog: Sendable {
  let logger: Logger
  let metrics: Metrics

  struct Entry {
    private let method: String
    private let path: String
    private let start = ContinuousClock.now
    /// The client's user id.
    var user: UInt32?
    var status = 0
    /// The answer could not be written to its end.
    var clientLeft = false

    init(_ request: Request) {
      method = request.method.rawValue
      path = request.uri.path
    }

    fileprivate var metadata: Logger.Metadata {
      let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
      var fields: Logger.Metadata = ["status": "\(status)", "ms": "\((milliseconds * 10).rounded() / 10)"]
      if let user { fields["uid"] = "\(user)" }
      if clientLeft { fields["client"] = "left" }
      return fields
    }

    fileprivate var line: Logger.Message { "\(method) \(path.escapedForLog)" }
  }

  /// A denial is a warning: whoever runs the daemon may want to know who asks for what.
  func write(_ entry: Entry) {
    metrics.addAnswer(status: entry.status, clientLeft: entry.clientLeft)
    logger.log(level: entry.status == 403 ? .warning : .info, entry.line, metadata: entry.metadata)
  }
}

extension String {
  /// On one line and of bounded length, whatever a client sent.
  fileprivate var escapedForLog: String {
    let limit = 200
    let text = String(
      unicodeScalars.prefix(limit).map { $0.properties.generalCategory == .control ? "?" : Character($0) })
    return unicodeScalars.count > limit ? text + "..." : text
  }
}
