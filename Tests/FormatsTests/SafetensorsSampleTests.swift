import Errors
import Formats
import Foundation
import Testing

struct SafetensorsSample: Decodable, Sendable, CustomTestStringConvertible {
  struct Tensor: Decodable {
    let name: String
    let dtype: String
    let shape: [Int]
    let sha256: String
  }
  let file: String
  let verdict: String
  let expect: String?
  let metadata: [String: String]?
  let sha256: String
  let tensors: [Tensor]

  var testDescription: String { file }

  static let all: [SafetensorsSample] = {
    do {
      return try JSONDecoder().decode([Self].self, from: Data(sampleBytes("safetensors.json")))
    } catch {
      fatalError("safetensors.json: \(error)")
    }
  }()
}

@Suite struct SafetensorsSampleTests {
  @Test func samplesAreThere() { #expect(SafetensorsSample.all.count == 50) }

  @Test(arguments: SafetensorsSample.all.filter { $0.verdict == "ok" })
  func readsValidFile(_ sample: SafetensorsSample) throws {
    let path = try samplePath(sample.file)
    #expect(try sha256Hex(ofFile: path) == sample.sha256)
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == sample.metadata ?? [:])
    #expect(file.tensors.count == sample.tensors.count)
    for tensor in sample.tensors {
      let entry = try file.entry(tensor.name)
      #expect(entry.type.rawValue == tensor.dtype)
      #expect(entry.shape == tensor.shape)
      #expect(sha256Hex(of: file.bytes(of: entry)) == tensor.sha256)
      #expect(try entry.elementCount * entry.dtype.byteCount == file.bytes(of: entry).count)
    }
  }

  /// A part of our message for each kind of reason in the manifest.
  private static let reasons: [String: [String]] = [
    "invalid-json": ["invalid JSON", "data_offsets", "does not begin with '{'"], "invalid-utf8": ["UTF-8"],
    "invalid-json-start": ["does not begin with '{'"], "duplicate-key": ["duplicate key"],
    "buffer-not-covered": ["truncated", "after the last tensor"], "unknown-dtype": ["unknown dtype"],
    "header-too-small": ["too short for a header"], "header-too-large": ["over the limit"],
    "invalid-offset": ["hole", "overlap", "end before"], "metadata-not-string": ["expected a string"],
    "missing-field": ["no 'dtype'", "no 'data_offsets'"], "size-mismatch": ["which needs"], "overflow": ["overflows"],
  ]

  @Test(arguments: SafetensorsSample.all.filter { $0.verdict == "refuse" })
  func refusesBrokenFile(_ sample: SafetensorsSample) throws {
    let path = try samplePath(sample.file)
    let error = try #require(throws: InversionError.self) { try SafetensorsFile(path: path) }
    #expect(error.code == .badFile)
    #expect(error.message.hasPrefix("'\(path)': "))
    let parts = try #require(sample.expect.flatMap { Self.reasons[$0] })
    #expect(parts.contains { error.message.contains($0) }, "\(sample.expect ?? ""): \(error.message)")
  }
}
