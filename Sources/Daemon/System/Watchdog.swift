import NIOCore

/// Gives signs of life only while there is life: on the event loop, and while a job runs, only after its denoiser has
/// made a step since the last one. A step must therefore take less than half of WatchdogSec.
struct Watchdog {
  /// Starts it; nothing runs when nobody asks for signs of life.
  static func start(on loop: any EventLoop, interval: Duration?, service: GenerationService) {
    guard let interval else { return }
    let half = TimeAmount(interval / 2)
    nonisolated(unsafe) var last = -1
    loop.scheduleRepeatedTask(initialDelay: half, delay: half) { _ in
      let promise = loop.makePromise(of: Bool.self)
      promise.completeWithTask { await service.load.current == nil }
      promise.futureResult.whenSuccess { idle in
        let progress = service.progressCount
        if idle || progress != last { ServiceManager.alive() }
        last = progress
      }
    }
  }
}
