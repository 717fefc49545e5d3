import Errors
import Foundation

/// How a run of `curl` ended.
struct CurlEnded: Sendable {
  enum Outcome: Sendable {
    case done
    /// The server does not go on where the file stops.
    case cannotResume
    /// What another try may mend.
    case broken
    case refused
  }

  let outcome: Outcome
  /// For the user.
  let reason: String

  /// - Parameters:
  ///   - status: curl's exit status.
  ///   - httpStatus: of the last response, 0 for none.
  init(status: Int32, httpStatus: Int, message: String) {
    let text = message.split(whereSeparator: \.isNewline).first.map(String.init) ?? "curl ended with \(status)"
    let said = text.replacing(#/^curl: \(\d+\) /#, with: "")
    reason =
      switch status {
      case 22: "the server answers \(httpStatus)"
      case 23: "\(said) (is the disk full?)"
      // Of the server; of the machine's own store.
      case 60, 77: "\(said) (are the 'ca-certificates' installed, and is the clock right?)"
      default: said
      }
    // Range not satisfiable, and curl's own "does not seem to support byte ranges".
    let isRangeRefused = status == 33 || (status == 22 && httpStatus == 416)
    // Server errors and too many requests; partial file, timeout, empty reply, failure in sending or receiving, HTTP/2.
    let isTransient =
      (status == 22 && (httpStatus >= 500 || httpStatus == 429)) || [18, 28, 52, 55, 56, 92].contains(status)
    outcome = status == 0 ? .done : isRangeRefused ? .cannotResume : isTransient ? .broken : .refused
  }
}

/// Runs `curl` under a shell that ends it when nobody holds the other end of the shell's standard input any more. A
/// program that is killed cannot end it, and left alone it would go on writing into the file at whose end the next
/// download begins. Children of a thread that blocks signals have them blocked too: nothing is ended but by KILL, and
/// `wait`, which wants to be told by a signal, is not used.
private let guardedCurl = """
  command -v curl >/dev/null || exit 127
  exec 3<&0 4>&1 </dev/null
  watch=$(sh -c '{ read -r _ <&3; kill -KILL $$; } >/dev/null 2>&1 4>&- &
    echo $!
    exec curl "$@" 3<&- >&4 4>&-' curl "$@")
  status=$?
  kill -KILL "$watch" 2>/dev/null
  exit "$status"
  """

/// `curl`, found on PATH, that ends when the writing end of `life` is closed, by whatever.
func curlProcess(_ arguments: [String], life: Pipe) -> Process {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/sh")
  process.arguments = ["-c", guardedCurl, "curl"] + arguments
  process.standardInput = life
  return process
}

/// Runs the program `curl`, found on PATH, and calls `tick` a few times a second meanwhile.
/// - Throws: `fileUnavailable` when there is no such program; `CancellationError`, when it has been told to end.
func runCurl(_ arguments: [String], tick: @escaping @Sendable () -> Void) async throws -> CurlEnded {
  let (life, output, errors) = (Pipe(), Pipe(), Pipe())
  let process = curlProcess(arguments, life: life)
  process.standardOutput = output
  process.standardError = errors
  let (ended, signal) = AsyncStream.makeStream(of: Int32.self)
  process.terminationHandler = { process in
    signal.yield(process.terminationStatus)
    signal.finish()
  }
  do {
    try process.run()
  } catch {
    throw InversionError(.fileUnavailable, "'/bin/sh': cannot be started: \(error)")
  }
  let status = try await withTaskCancellationHandler {
    let ticker = Task {
      while !Task.isCancelled {
        tick()
        try await Task.sleep(for: .milliseconds(200))
      }
    }
    defer { ticker.cancel() }
    for await status in ended { return status }
    throw CancellationError()
  } onCancel: {
    try? life.fileHandleForWriting.close()
  }
  // Until here: its end is the transfer's.
  withExtendedLifetime((process, life)) {}
  tick()
  // Both are a line at most: far less than a pipe holds.
  let code = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  guard status != 127 else {
    throw InversionError(
      .fileUnavailable,
      "'curl': no such program; install it, or get the files yourself and 'inversion models import' them")
  }
  return CurlEnded(status: status, httpStatus: Int(code) ?? 0, message: message)
}
