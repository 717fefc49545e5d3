import Schedules
import Testing

@Suite("Philox noise")
struct PhiloxNoiseTests {
  @Test("seed 0 gives the noise that users of PyTorch's CUDA generator know")
  func reference() {
    var noise = PhiloxNoise(seed: 0)
    let expected: [Float] = [
      -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122, -0.32838709,
      -1.07454231, -0.36314407, -1.67105067, 2.26550497,
    ]
    for (value, reference) in zip(noise.normal(12), expected) { #expect(abs(value - reference) < 2e-7) }
  }

  @Test("an element depends on seed, draw and place alone")
  func counterBased() {
    var (long, short) = (PhiloxNoise(seed: 7), PhiloxNoise(seed: 7))
    #expect(Array(long.normal(100).prefix(10)) == short.normal(10))
    #expect(long.offset == 1)
    let second = long.normal(10)
    var resumed = PhiloxNoise(seed: 7, offset: 1)
    #expect(resumed.normal(10) == second)
    #expect(short.normal(10) == second)
    var other = PhiloxNoise(seed: 7 | 1 << 32)
    #expect(other.normal(10) != PhiloxNoise(seed: 7).first(10), "the high word of the seed counts")
  }

  @Test("values are standard normal")
  func moments() {
    var noise = PhiloxNoise(seed: 3)
    let values = noise.normal(100_000).map(Double.init)
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
    // Four standard errors.
    #expect(abs(mean) < 0.013 && abs(variance - 1) < 0.018)
  }

  @Test("integers fill their range evenly")
  func integers() {
    var noise = PhiloxNoise(seed: 5)
    let values = noise.integers(40_000, in: 500..<510)
    #expect(noise.offset == 1)
    for number in 500..<510 {
      let share = values.count { $0 == number }
      #expect(abs(share - 4000) < 240, "four standard errors")  // sqrt(40000 * 0.1 * 0.9) = 60
    }
    #expect(Set(values).count == 10)
    #expect(PhiloxNoise(seed: 5) != noise)
    var whole = PhiloxNoise(seed: 5)
    #expect(whole.integers(3, in: 8..<9) == [8, 8, 8])
  }
}

extension PhiloxNoise {
  fileprivate func first(_ count: Int) -> [Float] {
    var copy = self
    return copy.normal(count)
  }
}
