import Foundation
import Testing

/// A file under `Samples`, by its path there.
func samplePath(_ name: String) throws -> String {
  let folder = try #require(Bundle.module.resourceURL)
  return folder.appendingPathComponent("Samples/\(name)").path
}

func sampleBytes(_ name: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: samplePath(name))))
}

/// A folder that is removed with this object.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("formats-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  @discardableResult func write(_ bytes: [UInt8], _ name: String) throws -> String {
    let target = file(name)
    let folder = URL(fileURLWithPath: target).deletingLastPathComponent()
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: target))
    return target
  }

  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
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
