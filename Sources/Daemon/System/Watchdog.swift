import NIOCore

/// Gives signs of life only while there is life: on the event loop, and while a job runs, only after its model has got
/// on since the last one.
struct Watchdog {
  /// Starts it; nothing runs when nobody asks for signs of life.
  /// - Parameter progress: grows while a job gets on.
  static func start(
    on loop: any EventLoop, interval: Duration?, service: GenerationService, progress: @escaping @Sendable () -> Int
  ) {
    guard let interval else { return }
    let half = TimeAmount(interval / 2)
    nonisolated(unsafe) var last = -1
    loop.scheduleRepeatedTask(initialDelay: half, delay: half) { _ in
      let promise = loop.makePromise(of: Bool.self)
      promise.completeWithTask { await service.load.current == nil }
      promise.futureResult.whenSuccess { idle in
        let count = progress()
        if idle || count != last { ServiceManager.alive() }
        last = count
      }
    }
  }
}
