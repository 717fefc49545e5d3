/// Body of every answer that is not a success, and data of the event `error`.
public struct ErrorReply: Codable, Sendable, Equatable {
  public let error: Detail

  public struct Detail: Codable, Sendable, Equatable {
    /// Machine-readable; docs/protocol.md lists them.
    public let code: String
    /// One line: what, where, what to do.
    public let message: String

    public init(code: String, message: String) {
      self.code = code
      self.message = message
    }
  }

  public init(code: String, message: String) { self.error = Detail(code: code, message: message) }
}
