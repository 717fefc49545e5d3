import Errors
import Formats
import Foundation
import Testing

@Suite struct AtomicFileTests {
  struct Interrupted: Error {}

  @Test func replacesTheWholeFile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1, 2, 3], "a")
    try AtomicFile.write([4, 5], path: path)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([4, 5]))
    #expect(try folder.names() == ["a"])
  }

  @Test func failureKeepsTheOldFileAndLeavesNothing() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1, 2, 3], "a")
    #expect(throws: Interrupted.self) {
      try AtomicFile.write(path: path) { output in
        try output.write([UInt8](repeating: 9, count: 1 << 20))
        throw Interrupted()
      }
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([1, 2, 3]))
    #expect(try folder.names() == ["a"])
  }

  @Test func keepsPermissions() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1], "a")
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    try AtomicFile.write([2], path: path)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o640)
  }

  @Test func takesTheLongestNames() throws {
    let folder = try TemporaryFolder()
    let name = String(repeating: "n", count: 255)
    try AtomicFile.write([2], path: folder.file(name))
    #expect(try folder.names() == [name])
  }

  @Test func namesTheTargetThatCannotBeWritten() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("none/a")
    let error = try #require(throws: InversionError.self) { try AtomicFile.write([1], path: path) }
    #expect(error.code == .fileUnavailable && error.message.contains("'\(path)'"))
  }

  @Test func hashesBytesAndFilesAlike() throws {
    let folder = try TemporaryFolder()
    #expect(sha256Hex(of: Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    let bytes = (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let path = try folder.write(bytes, "a")
    #expect(try sha256Hex(ofFile: path) == sha256Hex(of: bytes))
  }

  @Test func mapsAndAdvises() throws {
    let folder = try TemporaryFolder()
    let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0) }
    for file in [try MappedFile(path: folder.write(bytes, "a")), try MappedFile(copying: bytes, path: "a")] {
      for advice in [MappedFile.Advice.willNeed, .sequential, .random, .normal, .dontNeed] {
        file.advise(advice)
        file.advise(advice, range: 5000..<17_000)
        file.advise(advice, range: 7..<7)
      }
      #expect(file.bytes.elementsEqual(bytes))
    }
    #expect(try MappedFile(path: folder.write([], "empty")).bytes.isEmpty)
  }
}
