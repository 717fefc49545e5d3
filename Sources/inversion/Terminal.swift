import Foundation

/// A line on standard error that renews itself where that is a terminal.
struct RenewedLine {
  static let isOnTerminal = isatty(STDERR_FILENO) == 1
  private(set) var isShown = false

  /// Writes over what the line said. A longer text than the terminal is wide would go on in the next line, and each
  /// renewal would leave one behind: it is cut.
  mutating func show(_ text: String) {
    write("\r\(text.prefix(Self.width - 1))\u{1B}[K")
    isShown = true
  }

  /// Leaves the line standing.
  mutating func end() {
    if isShown { write("\n") }
    isShown = false
  }

  /// Takes the line away.
  mutating func clear() {
    if isShown { write("\r\u{1B}[K") }
    isShown = false
  }

  /// A bar of a share that is done, as wide as the text behind it leaves room for; none where it is too narrow to show
  /// anything.
  static func bar(_ done: Int, of total: Int, beside text: String) -> String {
    let length = min(widestBar, width - 1 - text.count - 3)
    guard length >= narrowestBar else { return text }
    let filled = length * min(done, total) / max(1, total)
    return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: length - filled) + "] " + text
  }

  private static let widestBar = 30
  private static let narrowestBar = 8

  /// Columns of the terminal.
  private static var width: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// A time that is left: m:ss, or h:mm:ss.
func clock(_ seconds: Double) -> String {
  // Of a step that has taken no time yet, or of one that hangs.
  guard seconds.isFinite, seconds < 1e9 else { return "?" }
  let whole = Int(max(0, seconds).rounded(.up))
  let (hours, minutes) = (whole / 3600, whole / 60 % 60)
  return hours > 0
    ? String(format: "%d:%02d:%02d", hours, minutes, whole % 60) : String(format: "%d:%02d", minutes, whole % 60)
}
