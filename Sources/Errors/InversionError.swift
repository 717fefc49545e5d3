/// The one error type of the project: what happened, where, and what to do about it.
///
/// Library code throws it and never logs; the programs print `description` once and exit with `code.exitStatus`.
/// Values and paths stand in single ticks: `'models/x': not a folder; give a diffusers folder`. They come from outside:
/// the message keeps to one line and to what a terminal shows, whatever they hold.
public struct InversionError: Error, Sendable, Equatable, CustomStringConvertible {
  public let code: Code
  public let message: String
  /// Of `.busy`: seconds after which to try again, where they are known.
  public let retryAfter: Int?

  public init(_ code: Code, _ message: String, retryAfter: Int? = nil) {
    self.code = code
    self.message = message.printable
    self.retryAfter = retryAfter
  }

  public var description: String { message }
}

extension InversionError {
  /// Machine-readable kinds of failure. The raw value travels in the daemon's error replies.
  public enum Code: String, Sendable, CaseIterable {
    /// A flag or a request field is wrong.
    case invalidArgument = "invalid_argument"
    /// A file or folder is not there or cannot be read or written.
    case fileUnavailable = "file_unavailable"
    /// A file is there and is not what it should be: truncated, malformed, of another format.
    case badFile = "bad_file"
    /// A tensor is missing from a model or has a shape that its config does not allow.
    case badModel = "bad_model"
    /// A picture cannot be decoded.
    case badPicture = "bad_picture"
    /// An embedding does not fit the model: width, vectors, values.
    case badEmbedding = "bad_embedding"
    /// The prompt has more tokens than the text encoder has room for.
    case promptTooLong = "prompt_too_long"
    /// Strict mode: the prompt names an embedding that is not loaded.
    case unknownEmbedding = "unknown_embedding"
    /// No route, model or embedding of that name.
    case notFound = "not_found"
    /// The daemon does not answer on its socket.
    case daemonUnavailable = "daemon_unavailable"
    /// Another daemon already serves this socket.
    case socketInUse = "socket_in_use"
    /// The user has not the role that it takes.
    case notAllowed = "not_allowed"
    /// The queue is full, or the work would not fit in memory: try again later.
    case busy = "busy"
    /// The work was cancelled before it was done.
    case cancelled = "cancelled"
    /// The training diverged: loss or embedding is not finite.
    case diverged = "diverged"
    /// Our own mistake.
    case `internal` = "internal"

    /// The exit status of a program that ends with this error, after `sysexits.h` where it has a word for it.
    public var exitStatus: Int32 {
      switch self {
      case .invalidArgument, .promptTooLong: 64  // EX_USAGE
      case .badFile, .badModel, .badPicture, .badEmbedding: 65  // EX_DATAERR
      case .fileUnavailable, .notFound, .unknownEmbedding: 66  // EX_NOINPUT
      case .daemonUnavailable: 69  // EX_UNAVAILABLE
      case .internal, .diverged: 70  // EX_SOFTWARE
      case .socketInUse: 73  // EX_CANTCREAT
      case .busy: 75  // EX_TEMPFAIL
      case .notAllowed: 77  // EX_NOPERM
      case .cancelled: 130  // as a shell reports SIGINT
      }
    }
  }
}
