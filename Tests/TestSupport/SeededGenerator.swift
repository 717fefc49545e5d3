/// SplitMix64: a seeded generator, so that a failing mutation can be run again.
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(state: UInt64) { self.state = state }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// One to four bytes changed, inserted or removed, or the tail cut off.
  public mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
    var out = bytes
    for _ in 0..<Int.random(in: 1...4, using: &self) where !out.isEmpty {
      let index = Int.random(in: 0..<out.count, using: &self)
      switch Int.random(in: 0..<8, using: &self) {
      case 0: out.insert(UInt8.random(in: 0...255, using: &self), at: index)
      case 1: out.remove(at: index)
      case 2: out.removeSubrange(index...)
      case 3: out[index] ^= 1 << UInt8.random(in: 0..<8, using: &self)
      default: out[index] = UInt8.random(in: 0...255, using: &self)
      }
    }
    return out
  }
}
