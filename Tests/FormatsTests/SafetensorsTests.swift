import Errors
import Tensors
import TestSupport
import Testing

@testable import Formats

@Suite struct SafetensorsTests {
  private func file(_ header: String, _ data: [UInt8] = []) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8) + data
  }

  private func parse(_ bytes: [UInt8]) throws -> SafetensorsHeader {
    try bytes.withUnsafeBytes { try SafetensorsHeader($0, path: "x") }
  }

  @Test func namesFileTensorAndReason() throws {
    let folder = try TemporaryFolder()
    let header = #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#
    let path = try folder.write(file(header, [0, 0, 0, 0]), "a.safetensors")
    let error = try #require(throws: InversionError.self) { try SafetensorsFile(path: path) }
    #expect(error.code == .badFile)
    #expect(error.message.hasPrefix("'\(path)': tensor 'w': 4 bytes for shape [2] of F32, which needs 8"))
  }

  @Test func reportsMissingFilesAndFolders() throws {
    let folder = try TemporaryFolder()
    for path in [folder.file("none"), folder.path, "/dev/null"] {
      let error = try #require(throws: InversionError.self) { try SafetensorsFile(path: path) }
      #expect(error.code == .fileUnavailable)
      #expect(error.message.contains("'\(path)'"))
    }
  }

  @Test func subByteTypesAreSizedAndReportedWhenRead() throws {
    let header = """
      {"a":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]},"b":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[3,6]}}
      """
    let folder = try TemporaryFolder()
    let path = try folder.write(file(header, [1, 2, 3, 4, 5, 6]), "a.safetensors")
    let tensors = try SafetensorsFile(path: path)
    let entry = try tensors.entry("a")
    #expect(Array(tensors.bytes(of: entry)) == [1, 2, 3])
    let error = try #require(throws: InversionError.self) { try entry.dtype }
    #expect(error.code == .badFile && error.message.contains("F4"))
    #expect(throws: SafetensorsFault.self) {
      try parse(file(#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, [0, 0]))
    }
  }

  @Test func missingTensorIsNamed() throws {
    let file = try SafetensorsFile(path: samplePath("safetensors/all_dtypes.safetensors"))
    let error = try #require(throws: InversionError.self) { try file.entry("none") }
    #expect(error.code == .badModel && error.message.contains("'none'"))
  }

  @Test func everyTruncationIsRefused() throws {
    for name in ["all_dtypes", "pretty_json", "escaped_names", "zero_sized"] {
      let whole = try sampleBytes("safetensors/\(name).safetensors")
      _ = try parse(whole)
      for length in 0..<whole.count {
        #expect(throws: SafetensorsFault.self, "\(name) cut to \(length)") { try parse(Array(whole[..<length])) }
      }
    }
  }

  /// A mutant is refused, or all that it describes lies inside it and covers it.
  @Test func mutantsNeverEscapeTheirBounds() throws {
    var generator = SeededGenerator(state: 1)
    var accepted = 0
    for name in ["all_dtypes", "escaped_names", "order_by_name_not_offset", "pretty_json"] {
      let whole = try sampleBytes("safetensors/\(name).safetensors")
      for _ in 0..<5000 {
        let mutant = generator.mutate(whole)
        guard let header = try? parse(mutant) else { continue }
        accepted += 1
        var covered = 0
        for entry in header.tensors.values {
          #expect(entry.byteRange.lowerBound >= 8 && entry.byteRange.upperBound <= mutant.count)
          #expect(entry.byteRange.count * 8 == entry.shape.reduce(entry.type.bitCount, *))
          covered += entry.byteRange.count
        }
        let length = mutant.withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }
        #expect(covered + 8 + length == mutant.count)
      }
    }
    #expect(accepted > 100, "the mutants are too wild to test anything: \(accepted) accepted")
  }

  @Test func writesWhatTheReferenceWriterWrites() throws {
    let name = "safetensors/all_dtypes.safetensors"
    let original = try SafetensorsFile(path: samplePath(name))
    var writer = SafetensorsWriter(metadata: original.metadata)
    for entry in original.tensors.values.sorted(by: { $0.name < $1.name }) {
      writer.add(entry.name, dtype: try entry.dtype, shape: entry.shape, bytes: Array(original.bytes(of: entry)))
    }
    let folder = try TemporaryFolder()
    try writer.write(to: folder.file("copy.safetensors"))
    #expect(try sha256Hex(ofFile: folder.file("copy.safetensors")) == sha256Hex(of: sampleBytes(name)))
    #expect(try folder.names() == ["copy.safetensors"])
  }

  @Test func roundTripsOddNamesAndShapes() throws {
    var writer = SafetensorsWriter(metadata: ["k\"\n": "v\u{1}😀", "": ""], layout: .reference(alignment: 64))
    writer.add("a\"b\\c\n", shape: [], values: [1.5])
    writer.add("../é", shape: [0, 3], values: [])
    writer.add("", dtype: .u8, shape: [3], bytes: [1, 2, 3])
    writer.add("streamed", dtype: .f16, shape: [100_000]) { output in
      for index in 0..<100_000 { try output.write([UInt8(index & 255), 1]) }
    }
    let folder = try TemporaryFolder()
    let path = folder.file("a.safetensors")
    try writer.write(to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == ["k\"\n": "v\u{1}😀", "": ""])
    #expect(file.tensors.count == 4)
    #expect(try file.bytes(of: file.entry("a\"b\\c\n")).loadUnaligned(as: Float.self) == 1.5)
    #expect(try file.entry("../é").shape == [0, 3])
    #expect(try Array(file.bytes(of: file.entry(""))) == [1, 2, 3])
    let streamed = file.bytes(of: try file.entry("streamed"))
    #expect(streamed.count == 200_000 && streamed[512] == 0 && streamed[510] == 255 && streamed[511] == 1)
    #expect(try file.entry("a\"b\\c\n").byteRange.lowerBound % 64 == 0)
  }
}
