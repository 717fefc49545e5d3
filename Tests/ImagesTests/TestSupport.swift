import Foundation
import Images
import Testing

func sampleBytes(_ name: String) throws -> [UInt8] {
  let folder = try #require(Bundle.module.resourceURL)
  return Array(try Data(contentsOf: folder.appendingPathComponent("Samples/\(name)")))
}

func manifest<Item: Decodable>(_ name: String) -> [Item] {
  do {
    return try JSONDecoder().decode([Item].self, from: Data(sampleBytes(name)))
  } catch {
    preconditionFailure("\(name): \(error)")
  }
}

/// A picture with gradients, sharp edges and saturated colours.
func colourfulPicture(_ width: Int, _ height: Int) -> Picture {
  var pixels: [UInt8] = []
  for y in 0..<height {
    for x in 0..<width {
      pixels += [UInt8(x * 255 / width), UInt8(y * 255 / height), (x / 5 + y / 4) % 2 == 0 ? 20 : 220]
    }
  }
  return Picture(width: width, height: height, pixels: pixels)
}

/// The largest difference between two equally long rows of samples.
func largestDifference(_ a: [UInt8], _ b: [UInt8]) -> Int {
  zip(a, b).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
}

/// SplitMix64: a seeded generator, so that a failing mutation can be run again.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// One to four bytes changed, inserted or removed, or the tail cut off.
  mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
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
