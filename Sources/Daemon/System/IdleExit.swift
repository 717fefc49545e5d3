import NIOCore

/// Ends a daemon that nobody asks for anything. The service manager keeps the socket, and starts it again for the next
/// client.
struct IdleExit {
  private let limit: Duration
  private var lastUse: ContinuousClock.Instant
  private var accepted = 0

  init(after limit: Duration, now: ContinuousClock.Instant = .now) {
    self.limit = limit
    lastUse = now
  }

  /// Whether there has been no connection for the time: none is open, and none has come since the last look.
  mutating func isDue(_ load: (open: Int, accepted: Int), now: ContinuousClock.Instant = .now) -> Bool {
    if load.open > 0 || load.accepted != accepted { lastUse = now }
    accepted = load.accepted
    return now - lastUse >= limit
  }
}

extension IdleExit {
  /// How often it is looked within the time that has to pass.
  private static let looks = 4

  /// Sends `.idle` when the time has come.
  static func start(on loop: any EventLoop, after limit: Duration, server: HTTPServer, signals: Signals) {
    let delay = TimeAmount(limit / looks)
    // The loop's own.
    nonisolated(unsafe) var exit = IdleExit(after: limit)
    loop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { task in
      guard exit.isDue(server.load) else { return }
      task.cancel()
      signals.send(.idle)
    }
  }
}
