import Errors
import Foundation
import TestSupport
import Testing

@testable import Formats

struct GGUFSample: Decodable, Sendable, CustomTestStringConvertible {
  struct Tensor: Decodable {
    let name: String
    let type: String
    let shape: [Int]
    let raw: String
    let floats: String
    let offset: Int
  }
  let file: String
  let verdict: String
  let expect: String?
  let tensors: [Tensor]
  let metadata: [String: String]

  var testDescription: String { file }

  static let all: [GGUFSample] = {
    do {
      return try JSONDecoder().decode([Self].self, from: Data(sampleBytes("gguf.json")))
    } catch {
      preconditionFailure("gguf.json: \(error)")
    }
  }()
}

@Suite struct GGUFTests {
  @Test func samplesAreThere() { #expect(GGUFSample.all.count == 16) }

  @Test(arguments: GGUFSample.all.filter { $0.verdict == "ok" })
  func readsValidFile(_ sample: GGUFSample) throws {
    let file = try GGUFFile(path: samplePath(sample.file))
    #expect(file.tensors.count == sample.tensors.count)
    for expected in sample.tensors {
      let tensor = try #require(file.tensors[expected.name])
      #expect(tensor.type.name == expected.type)
      #expect(tensor.shape == expected.shape && tensor.byteRange.lowerBound == expected.offset)
      #expect(sha256Hex(of: file.bytes(of: tensor)) == expected.raw)
      let floats = try file.floats(of: tensor)
      #expect(floats.count == tensor.elementCount)
      #expect(floats.withUnsafeBytes { sha256Hex(of: $0) } == expected.floats, "\(expected.name)")
    }
    #expect(file.metadata.count == sample.metadata.count)
    for (key, value) in sample.metadata {
      switch file.metadata[key] {
      case .string(let text)?: #expect(text == value)
      case .integer(let number)?: #expect("\(number)" == value)
      default: Issue.record("'\(key)' is \(String(describing: file.metadata[key]))")
      }
    }
  }

  private static let reasons = [
    "bad-alignment": "alignment", "bad-magic": "magic", "out-of-bounds": "out of bounds", "overflow": "overflows",
    "duplicate-name": "twice", "too-large": "too large", "truncated": "63 bits", "bad-rank": "5 dimensions",
    "misaligned": "misaligned", "overlap": "overlap", "bad-block-shape": "multiple of Q8_0's blocks",
    "unsupported-version": "version 1",
  ]

  @Test(arguments: GGUFSample.all.filter { $0.verdict == "refuse" })
  func refusesBrokenFile(_ sample: GGUFSample) throws {
    let path = try samplePath(sample.file)
    let error = try #require(throws: InversionError.self) { try GGUFFile(path: path) }
    #expect(error.code == .badFile && error.message.hasPrefix("'\(path)': "))
    let part = try #require(sample.expect.flatMap { Self.reasons[$0] })
    #expect(error.message.contains(part), "\(sample.expect ?? ""): \(error.message)")
  }

  @Test func everyTruncationIsRefused() throws {
    for name in ["align64", "more_types", "no_kv"] {
      let whole = try sampleBytes("gguf/\(name).gguf")
      let end = try GGUFFile(bytes: whole, path: name).tensors.values.map(\.byteRange.upperBound).max() ?? 0
      for length in 0..<end {
        #expect(throws: InversionError.self, "\(name) cut to \(length)") {
          try GGUFFile(bytes: Array(whole[..<length]), path: name)
        }
      }
    }
  }

  @Test func mutantsNeverEscapeTheirBounds() throws {
    var generator = SeededGenerator(state: 5)
    var accepted = 0
    for name in ["align64", "more_types", "no_kv"] {
      let whole = try sampleBytes("gguf/\(name).gguf")
      for _ in 0..<3000 {
        guard let file = try? GGUFFile(bytes: generator.mutate(whole), path: name) else { continue }
        accepted += 1
        for tensor in file.tensors.values { _ = try? file.floats(of: tensor) }
      }
    }
    #expect(accepted > 300, "the mutants are too wild to test anything: \(accepted) accepted")
  }

  /// A file with an array, a number of each kind, and a tensor that ComfyUI-GGUF would have flattened.
  @Test func readsMetadataAndOriginalShapes() throws {
    func number<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    func string(_ text: String) -> [UInt8] { number(UInt64(text.utf8.count)) + Array(text.utf8) }
    let values: [(String, UInt32, [UInt8])] = [
      ("comfy.gguf.orig_shape.w", 9, number(UInt32(5)) + number(UInt64(3)) + [2, 4, 8].flatMap { number(Int32($0)) }),
      ("u64", 10, number(UInt64.max)), ("i8", 1, [0xFF]), ("f32", 6, number(Float(1.5).bitPattern)), ("flag", 7, [1]),
      ("f64", 12, number(2.5.bitPattern)),
      ("names", 9, number(UInt32(8)) + number(UInt64(2)) + string("a") + string("é")),
    ]
    var bytes = Array("GGUF".utf8) + number(UInt32(3)) + number(UInt64(1)) + number(UInt64(values.count))
    for (key, type, value) in values { bytes += string(key) + number(type) + value }
    bytes += string("w") + number(UInt32(1)) + number(UInt64(64)) + number(UInt32(24)) + number(UInt64(0))
    bytes += [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32 + 64)
    let file = try GGUFFile(bytes: bytes, path: "x")
    #expect(file.tensors["w"]?.shape == [2, 4, 8])
    #expect(file.metadata["u64"] == .unsigned(.max) && file.metadata["i8"] == .integer(-1))
    #expect(
      file.metadata["f32"] == .float(1.5) && file.metadata["f64"] == .float(2.5) && file.metadata["flag"] == .bool(true)
    )
    #expect(file.metadata["names"] == .array([.string("a"), .string("é")]))
    let tensor = try #require(file.tensors["w"])
    let error = try #require(throws: InversionError.self) { try file.floats(of: tensor) }
    #expect(error.code == .badFile && error.message.contains("I8"))
  }
}
