#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The median of `runs` times in seconds, after one call that warms up.
func medianSeconds(runs: Int, _ body: () throws -> Void) rethrows -> Double {
  try body()
  let times = try (0..<max(1, runs)).map { _ in try seconds(body) }.sorted()
  return times[times.count / 2]
}

func seconds(_ body: () throws -> Void) rethrows -> Double {
  try ContinuousClock().measure(body) / .seconds(1)
}

/// The peak of this process' resident memory so far, in bytes.
public var peakResidentBytes: Int {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return usage.ru_maxrss * 1024
}
