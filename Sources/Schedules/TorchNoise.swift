#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Noise as PyTorch's generator on the CPU draws it (mt19937, Matsumoto and Nishimura 1998), so that the seeds of
/// diffusers on a CPU give the pictures that they gave there. Unlike `PhiloxNoise`, a value hangs on all that was drawn
/// before it.
public struct TorchNoise: Sendable, Equatable {
  private static let words = 624
  private static let shift = 397
  private var state: [UInt32]
  private var index = TorchNoise.words
  /// The second value of a pair, for the next draw of a few values.
  private var spare: Double?

  /// Only the seed's low word counts.
  public init(seed: UInt64) {
    state = [UInt32(truncatingIfNeeded: seed)]
    state.reserveCapacity(Self.words)
    for index in 1..<UInt32(Self.words) {
      let last = state[state.count - 1]
      state.append(1_812_433_253 &* (last ^ last >> 30) &+ index)
    }
  }

  /// Standard normal values, as `torch.randn` makes them: few one by one in f64, many in blocks of sixteen in f32.
  public mutating func normal(_ count: Int) -> [Float] {
    guard count >= Self.block else { return (0..<count).map { _ in Float(single()) } }
    var values = (0..<count).map { _ in uniform() }
    for start in stride(from: 0, through: count - Self.block, by: Self.block) { Self.transform(&values, start) }
    if count % Self.block != 0 {
      // The last sixteen are drawn again.
      let start = count - Self.block
      for index in start..<count { values[index] = uniform() }
      Self.transform(&values, start)
    }
    return values
  }

  private static let block = 16

  /// Box and Muller's transform of eight pairs, whose halves are eight apart.
  private static func transform(_ values: inout [Float], _ start: Int) {
    for index in start..<start + block / 2 {
      let radius = (-2 * logf(1 - values[index])).squareRoot()
      let angle = 2 * Float.pi * values[index + block / 2]
      values[index] = radius * cosf(angle)
      values[index + block / 2] = radius * sinf(angle)
    }
  }

  private mutating func single() -> Double {
    if let spare {
      self.spare = nil
      return spare
    }
    let (first, second) = (uniformDouble(), uniformDouble())
    let radius = (-2 * log1p(-second)).squareRoot()
    spare = radius * sin(2 * .pi * first)
    return radius * cos(2 * .pi * first)
  }

  /// In 0..<1, of 24 bits.
  private mutating func uniform() -> Float { Float(next() & (1 << 24 - 1)) * 0x1p-24 }

  /// In 0..<1, of 53 bits.
  private mutating func uniformDouble() -> Double {
    let (high, low) = (UInt64(next()), UInt64(next()))
    return Double((high << 32 | low) & (1 << 53 - 1)) * 0x1p-53
  }

  private mutating func next() -> UInt32 {
    if index == Self.words { twist() }
    var word = state[index]
    index += 1
    word ^= word >> 11
    word ^= word << 7 & 0x9D2C_5680
    word ^= word << 15 & 0xEFC6_0000
    return word ^ word >> 18
  }

  private mutating func twist() {
    for index in state.indices {
      let joined = state[index] & 0x8000_0000 | state[(index + 1) % Self.words] & 0x7FFF_FFFF
      let odd: UInt32 = joined & 1 == 0 ? 0 : 0x9908_B0DF
      state[index] = state[(index + Self.shift) % Self.words] ^ joined >> 1 ^ odd
    }
    index = 0
  }
}
