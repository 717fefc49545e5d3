import Dispatch
import Glibc

/// Holds the denoiser before each step until the test lets it go.
public final class StepGate: Sendable {
  private let permits = DispatchSemaphore(value: 0)

  /// Nil: the test decides.
  private let pause: UInt32?

  public init() { pause = nil }

  private init(pause: UInt32) { self.pause = pause }

  /// A step takes this long.
  public static func timed(milliseconds: UInt32) -> StepGate { StepGate(pause: milliseconds * 1000) }

  /// Lets `count` more steps happen.
  public func open(steps count: Int) { for _ in 0..<count { permits.signal() } }

  func pass() {
    if let pause { usleep(pause) } else { permits.wait() }
  }
}
