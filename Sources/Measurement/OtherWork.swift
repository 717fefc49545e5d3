import Glibc

/// What other programs, and other guests of the same host, take of the processors while this one measures.
public struct OtherWork {
  private let root: String
  private let start: ProcessorTime?

  /// Counts from here on. `root` is where /proc is; tests have their own.
  public init(root: String = "") {
    self.root = root
    start = ProcessorTime(root: root)
  }

  /// Of all processors' time since the start, 0 to 1; nil where /proc/stat is hidden, or before a tick has passed.
  public func share() -> Double? {
    guard let start, let now = ProcessorTime(root: root), now.passed > start.passed else { return nil }
    let others = (now.busy - start.busy) - (now.own - start.own)
    return min(1, max(0, Double(others) / Double(now.passed - start.passed)))
  }
}

/// Clock ticks since the machine's start, of all processors together.
private struct ProcessorTime {
  let passed: Int
  /// Neither idle nor waiting for a disk; what the host gave to others counts as busy.
  let busy: Int
  /// Of this process.
  let own: Int

  init?(root: String) {
    guard let line = MemoryRoom.lines(root + "/proc/stat").first, line.hasPrefix("cpu ") else { return nil }
    // user nice system idle iowait irq softirq steal; what follows is part of user already.
    let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) }
    guard ticks.count == 8, ticks.allSatisfy({ (0...(1 << 53)).contains($0) }) else { return nil }
    passed = ticks.reduce(0, +)
    busy = passed - ticks[3] - ticks[4]
    var own = tms()
    times(&own)
    self.own = own.tms_utime + own.tms_stime
  }
}
