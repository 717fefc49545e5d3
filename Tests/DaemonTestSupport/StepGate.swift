import Dispatch

/// Holds the denoiser before each step until the test lets it go.
public final class StepGate: Sendable {
  private let permits = DispatchSemaphore(value: 0)

  /// Nil: the test decides.
  private let pause: DispatchTimeInterval?

  public init() { pause = nil }

  private init(pause: DispatchTimeInterval) { self.pause = pause }

  /// A step takes this long.
  public static func timed(milliseconds: Int) -> StepGate { StepGate(pause: .milliseconds(milliseconds)) }

  /// Lets `count` more steps happen.
  public func open(steps count: Int) { for _ in 0..<count { permits.signal() } }

  func pass() {
    if let pause { _ = permits.wait(timeout: .now() + pause) } else { permits.wait() }
  }
}
