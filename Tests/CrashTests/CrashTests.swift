import Foundation
import FuzzParsers
import Testing

/// Every input that once trapped, hung or took too much memory, by the parser that it was found in. `Crashes/README.md`
/// tells what each was.
@Suite(.timeLimit(.minutes(15))) struct CrashTests {
  struct Crash: Sendable, CustomTestStringConvertible {
    let parser: String
    let file: URL

    var testDescription: String { "\(parser)/\(file.lastPathComponent)" }
  }

  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Crashes")

  private static func contents(_ folder: URL) -> [URL] {
    (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
  }

  static let crashes: [Crash] = contents(folder).filter(\.hasDirectoryPath).flatMap { parser in
    contents(parser).map { Crash(parser: parser.lastPathComponent, file: $0) }
  }

  @Test(arguments: crashes)
  func isHandled(_ crash: Crash) throws {
    let parse = try #require(parsers[crash.parser])
    parse([UInt8](try Data(contentsOf: crash.file)))
  }

  @Test func crashesAreThere() { #expect(!Self.crashes.isEmpty) }

  /// Nothing of a folder that `make fuzz` starts from is a finding.
  @Test func seedsAreHandled() throws {
    let seeds = Self.folder.appending(path: "../../../Tools/fuzz/seeds").standardizedFileURL
    let files = Self.contents(seeds).filter { parsers[$0.lastPathComponent] != nil }.flatMap { folder in
      Self.contents(folder).map { (folder.lastPathComponent, $0) }
    }
    #expect(files.count >= 5)
    for (parser, file) in files {
      let parse = try #require(parsers[parser])
      parse([UInt8](try Data(contentsOf: file)))
    }
  }
}
