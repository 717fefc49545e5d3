import Dispatch
import Glibc

/// The signals that steer the daemon, as a stream. Nothing runs between two of them.
package struct Signals: Sendable {
  package enum Signal: Sendable {
    /// SIGTERM, SIGINT
    case stop
    /// SIGHUP
    case reload
    /// The daemon's own: nobody has come for long.
    case idle
    /// The daemon's own: the last job is done.
    case drained
  }

  /// For one reader.
  package let stream: AsyncStream<Signal>
  private let continuation: AsyncStream<Signal>.Continuation

  /// A stream that only `send` feeds.
  package init() {
    (stream, continuation) = AsyncStream.makeStream()
  }

  /// Takes the process's signals over for the rest of its life.
  static func ofProcess() -> Signals {
    let signals = Signals()
    let continuation = signals.continuation
    let sources = [(SIGTERM, Signal.stop), (SIGINT, .stop), (SIGHUP, .reload)].map { number, signal in
      Glibc.signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      // Several signals may come as one event.
      source.setEventHandler { for _ in 0..<source.data { continuation.yield(signal) } }
      source.activate()
      return source
    }
    // Dispatch's objects may be used from any thread; the library does not say so to the compiler.
    nonisolated(unsafe) let owned = sources
    continuation.onTermination = { _ in
      for source in owned { source.cancel() }
    }
    return signals
  }

  package func send(_ signal: Signal) { continuation.yield(signal) }
}
