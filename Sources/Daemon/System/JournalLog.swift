import CSystemd
import Errors
import Glibc
import Logging

/// Entries of the journal with a field for each piece of metadata: `journalctl -u inversiond UID=1000 -o verbose`.
public struct JournalLog: LogHandler {
  public var logLevel = Logger.Level.info
  public var metadata = Logger.Metadata()

  /// The handler for this process: the journal where standard error goes there, else lines on standard error.
  public static func forProcess() -> any LogHandler { isStandardError ? JournalLog() : StderrLog() }

  /// JOURNAL_STREAM names the device and the inode of what the service manager has connected; a program that has been
  /// redirected since inherits the variable alone.
  private static var isStandardError: Bool {
    guard let value = getenv("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard fstat(STDERR_FILENO, &status) == 0 else { return false }
    return String(cString: value) == "\(status.st_dev):\(status.st_ino)"
  }

  public subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let pairs = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let message = ("\(event.message)" + pairs.map { " \($0.key)=\($0.value)" }.joined()).printable
    var fields = [
      "MESSAGE=\(message)", "PRIORITY=\(StderrLog.priority(of: event.level))", "SYSLOG_IDENTIFIER=inversiond",
    ]
    // The journal's names: capitals, digits and underscores.
    fields += pairs.map { "INVERSION_\($0.key.uppercased())=\($0.value)" }
    send(fields.map { Array($0.utf8) })
  }

  private func send(_ fields: [[UInt8]]) {
    let all = fields.flatMap { $0 }
    all.withUnsafeBytes { bytes in
      var offset = 0
      let vectors = fields.map { field in
        defer { offset += field.count }
        let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress?.advanced(by: offset))
        return iovec(iov_base: start, iov_len: field.count)
      }
      // A journal that takes nothing is no reason to stop.
      _ = sd_journal_sendv(vectors, Int32(vectors.count))
    }
  }
}
