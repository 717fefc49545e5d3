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
    reason = status == 22 ? "the server answers \(httpStatus)" : text.replacing(#/^curl: \(\d+\) /#, with: "")
    // Range not satisfiable, and curl's own "does not seem to support byte ranges".
    let isRangeRefused = status == 33 || (status == 22 && httpStatus == 416)
    // Server errors and too many requests; partial file, timeout, empty reply, failure in sending or receiving, HTTP/2.
    let isTransient =
      (status == 22 && (httpStatus >= 500 || httpStatus == 429)) || [18, 28, 52, 55, 56, 92].contains(status)
    outcome = status == 0 ? .done : isRangeRefused ? .cannotResume : isTransient ? .broken : .refused
  }
}

/// Runs the program `curl`, found on PATH, and calls `tick` a few times a second meanwhile.
/// - Throws: `fileUnavailable` when there is no such program; `CancellationError`, after it has ended.
func runCurl(_ arguments: [String], tick: @escaping @Sendable () -> Void) async throws -> CurlEnded {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = ["curl"] + arguments
  process.standardInput = FileHandle.nullDevice
  let (output, errors) = (Pipe(), Pipe())
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
    throw InversionError(.fileUnavailable, "'/usr/bin/env': cannot be started: \(error)")
  }
  let pid = process.processIdentifier
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
    kill(pid, SIGTERM)
  }
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
