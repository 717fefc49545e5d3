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

  /// Nothing of a folder that `make fuzz` starts from is a finding. Three parsers share the prompts.
  @Test func seedsAreHandled() throws {
    let seeds = Self.folder.appending(path: "../../../Tools/fuzz/seeds").standardizedFileURL
    var fed = 0
    for folder in Self.contents(seeds) {
      let name = folder.lastPathComponent
      for parser in name == "prompt" ? ["prompt", "grammar", "encoding"] : [name] {
        let parse = try #require(parsers[parser])
        for file in Self.contents(folder) {
          parse([UInt8](try Data(contentsOf: file)))
          fed += 1
        }
      }
    }
    #expect(fed >= 20)
  }
}
