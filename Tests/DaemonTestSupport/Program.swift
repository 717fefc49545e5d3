import Foundation
import Synchronization

/// A built program as a process of its own. It is killed after `longestLife`: a program that hangs fails its test, and
/// not the whole run.
public final class Program: Sendable {
  public struct Ended: Sendable {
    public let status: Int32
    public let output: String
    public let errors: String
  }

  /// Seconds; nothing that a test starts takes so long, on a busy machine either.
  private static let longestLife = 280

  private let process: Process
  private let output: Collected
  private let errors: Collected
  public var pid: pid_t { process.processIdentifier }

  /// - Parameter name: of a product of this package, or a path.
  public init(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws {
    let folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let process = Process()
    process.executableURL = name.hasPrefix("/") ? URL(filePath: name) : folder.appending(path: name)
    process.arguments = arguments
    // Nothing of the machine's own settings may decide a test.
    let kept = ProcessInfo.processInfo.environment.filter { ["PATH", "HOME", "LD_LIBRARY_PATH"].contains($0.key) }
    process.environment = kept.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    // Children must not keep each other's pipes open.
    output = Collected()
    errors = Collected()
    process.standardOutput = output.pipe
    process.standardError = errors.pipe
    let exit = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in exit.signal() }
    try process.run()
    self.process = process
    output.start()
    errors.start()
    guardLife(until: exit)
  }

  /// Ends it when its time is over, and the reading when it has ended: what it left running may hold its pipes open.
  private func guardLife(until exit: DispatchSemaphore) {
    Thread { [output, errors, pid] in
      if exit.wait(timeout: .now() + .seconds(Self.longestLife)) == .timedOut {
        kill(-pid, SIGKILL)
        kill(pid, SIGKILL)
      }
      for stream in [output, errors] { stream.end(after: .seconds(10)) }
    }.start()
  }

  public static func path(_ name: String) -> String {
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: name).path
  }

  public func send(_ signal: Int32) { kill(pid, signal) }

  /// What it has written to standard error, as soon as the text is among it; all of it when the program ends before.
  public func errors(until text: String) async -> String { await errors.text(until: text) }

  /// What it has written to standard output, as soon as the text is among it.
  public func output(until text: String) async -> String { await output.text(until: text) }

  public func ended() async -> Ended {
    let (output, errors) = await (output.text(until: nil), errors.text(until: nil))
    await withCheckedContinuation { continuation in
      Thread {
        self.process.waitUntilExit()
        continuation.resume()
      }.start()
    }
    // As a shell reports a program that a signal has ended.
    let signalled = process.terminationReason == .uncaughtSignal
    return Ended(
      status: process.terminationStatus + (signalled ? 128 : 0), output: output, errors: errors)
  }

  /// Runs a program to its end.
  public static func run(
    _ name: String, _ arguments: [String], environment: [String: String] = [:]
  ) async throws -> Ended {
    try await Program(name, arguments, environment: environment).ended()
  }

  deinit {
    if process.isRunning { kill(pid, SIGKILL) }
  }
}

/// What comes out of a pipe, read by a thread of its own.
private final class Collected: Sendable {
  let pipe = Pipe()
  private let isRead = DispatchSemaphore(value: 0)
  private let state = Mutex(State())

  private struct State {
    var bytes: [UInt8] = []
    var ended = false
    var waiting: [(text: String?, continuation: CheckedContinuation<String, Never>)] = []

    var text: String { String(decoding: bytes, as: UTF8.self) }

    mutating func resumeSatisfied() {
      let (text, ended) = (text, ended)
      waiting.removeAll { waiter in
        let isSatisfied = ended || waiter.text.map(text.contains) ?? false
        if isSatisfied { waiter.continuation.resume(returning: text) }
        return isSatisfied
      }
    }
  }

  init() {
    for handle in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
      _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
    }
  }

  func start() {
    // Ours is the reading end alone, or its end would never come.
    try? pipe.fileHandleForWriting.close()
    Thread {
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = read(self.pipe.fileHandleForReading.fileDescriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        self.state.withLock { state in
          state.bytes += buffer.prefix(max(count, 0))
          state.ended = count <= 0
          state.resumeSatisfied()
        }
        if count <= 0 {
          self.isRead.signal()
          return
        }
      }
    }.start()
  }

  /// No more is waited for, once the writers had this time.
  func end(after patience: DispatchTimeInterval) {
    _ = isRead.wait(timeout: .now() + patience)
    state.withLock { state in
      state.ended = true
      state.resumeSatisfied()
    }
  }

  func text(until wanted: String?) async -> String {
    await withCheckedContinuation { continuation in
      state.withLock { state in
        state.waiting.append((wanted, continuation))
        state.resumeSatisfied()
      }
    }
  }
}
