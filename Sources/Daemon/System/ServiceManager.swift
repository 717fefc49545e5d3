import CSystemd

/// Talks to the service manager (NOTIFY_SOCKET); every call does nothing where there is none.
enum ServiceManager {
  static func ready(_ status: String) { notify("READY=1\nSTATUS=\(status)") }
  static func status(_ status: String) { notify("STATUS=\(status)") }
  static func reloading() { notify("RELOADING=1") }
  /// - Parameter limit: how long it may take, which the manager then waits where its own limit is shorter.
  static func stopping(within limit: Duration) {
    notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(Int(limit / .microseconds(1)))\nSTATUS=finishing its jobs")
  }
  static func alive() { notify("WATCHDOG=1") }

  /// The time within which a sign of life is asked for (WATCHDOG_USEC); nil when none is.
  static var watchdogInterval: Duration? {
    var microseconds: UInt64 = 0
    return sd_watchdog_enabled(0, &microseconds) > 0 ? .microseconds(Int64(microseconds)) : nil
  }

  /// A manager that does not listen is no reason to stop working.
  private static func notify(_ message: String) { _ = sd_notify(0, message) }
}
