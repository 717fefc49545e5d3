/// How many requests a user may send: a bucket for each that holds a minute's share and fills evenly.
struct RateLimiter {
  let perMinute: Int
  private var buckets: [UInt32: (tokens: Double, filled: ContinuousClock.Instant)] = [:]

  init(perMinute: Int) { self.perMinute = perMinute }

  /// Takes one; nil when there was one, else the time until there is.
  mutating func take(_ owner: UInt32, now: ContinuousClock.Instant = .now) -> Duration? {
    let perSecond = Double(perMinute) / 60
    let bucket = buckets[owner] ?? (Double(perMinute), now)
    let tokens = min(Double(perMinute), bucket.tokens + (now - bucket.filled) / .seconds(1) * perSecond)
    guard tokens >= 1 else {
      buckets[owner] = (tokens, now)
      return .seconds((1 - tokens) / perSecond)
    }
    buckets[owner] = (tokens - 1, now)
    return nil
  }
}
