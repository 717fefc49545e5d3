#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Philox 4x32-10 (Salmon et al. 2011) as PyTorch's CUDA generator and AUTOMATIC1111's twin of it draw noise: equal
/// seed, equal noise, whatever the machine and the number of threads.
///
/// Every draw of n values is number `offset` of the seed; its element i is a function of (seed, offset, i) alone: the
/// block cipher of the counter (offset, 0, i, 0) under the key (low word, high word) of the seed.
public struct PhiloxNoise: Sendable, Equatable {
  public let seed: UInt64
  /// Draws made so far. Set it to go on where another run stopped.
  public var offset: UInt32

  public init(seed: UInt64, offset: UInt32 = 0) {
    self.seed = seed
    self.offset = offset
  }

  /// Standard normal values, by Box and Muller from the first two words of each block.
  /// - Precondition: `count` is at most 2^32.
  public mutating func normal(_ count: Int) -> [Float] {
    draw(count) { block in
      // In f64, as AUTOMATIC1111: the rounding to f32 hides how a libm rounds.
      let u = Double(block.0) * 0x1p-32 + 0x1p-33
      let v = (Double(block.1) * 0x1p-32 + 0x1p-33) * 2 * Double.pi
      return Float((-2 * log(u)).squareRoot() * sin(v))
    }
  }

  /// Whole numbers, each of `range` with equal probability up to a bias of range.count / 2^32: the first word of each
  /// block, times the count, shifted right by 32.
  /// - Precondition: the range is not empty and has at most 2^32 numbers.
  public mutating func integers(_ count: Int, in range: Range<Int>) -> [Int] {
    precondition(!range.isEmpty && range.count <= 1 << 32)
    return draw(count) { block in range.lowerBound + Int((UInt64(block.0) * UInt64(range.count)) >> 32) }
  }

  private mutating func draw<Value>(_ count: Int, _ value: ((UInt32, UInt32)) -> Value) -> [Value] {
    precondition(count >= 0 && count <= 1 << 32)
    defer { offset &+= 1 }
    return (0..<count).map { element in
      let words = Self.block(counter: SIMD4(offset, 0, UInt32(truncatingIfNeeded: element), 0), seed: seed)
      return value((words[0], words[1]))
    }
  }

  /// Ten rounds over a counter.
  static func block(counter: SIMD4<UInt32>, seed: UInt64) -> SIMD4<UInt32> {
    var (words, key) = (counter, SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    for _ in 0..<10 {
      let first = (0xD251_1F53 as UInt32).multipliedFullWidth(by: words[0])
      let second = (0xCD9E_8D57 as UInt32).multipliedFullWidth(by: words[2])
      words = SIMD4(
        second.high ^ words[1] ^ key[0], second.low, first.high ^ words[3] ^ key[1], first.low)
      key = key &+ SIMD2(0x9E37_79B9, 0xBB67_AE85)
    }
    return words
  }
}
