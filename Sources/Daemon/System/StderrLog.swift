import Errors
import Glibc
import Logging

/// One line a message on standard error: the journal's priority in front where the journal reads it (JOURNAL_STREAM),
/// else the time; then the message, then `key=value` pairs.
public struct StderrLog: LogHandler {
  public var logLevel = Logger.Level.info
  public var metadata = Logger.Metadata()
  private let forJournal: Bool

  public init() { forJournal = getenv("JOURNAL_STREAM") != nil }

  public subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let pairs = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let fields = pairs.map { " \($0.key)=\($0.value)" }.joined()
    let prefix = forJournal ? "<\(Self.priority(of: event.level))>" : "\(Self.time()) \(event.level): "
    let line = Array("\(prefix)\("\(event.message)\(fields)".printable)\n".utf8)
    // One write a line, so that lines of several threads do not mix. A closed stderr is no reason to stop.
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  /// As in sd-daemon(3).
  static func priority(of level: Logger.Level) -> Int {
    switch level {
    case .critical: 2
    case .error: 3
    case .warning: 4
    case .notice: 5
    case .info: 6
    case .debug, .trace: 7
    }
  }

  private static func time() -> String {
    var now = Glibc.time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
