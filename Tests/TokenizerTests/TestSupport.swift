import Foundation
import Testing

struct TokenCase: Decodable, Sendable {
  let text: String
  let ids: [Int32]

  static func load(_ name: String) throws -> [TokenCase] {
    try JSONDecoder().decode([TokenCase].self, from: Data(contentsOf: goldenURL(name)))
  }
}

func goldenURL(_ name: String) throws -> URL {
  try #require(Bundle.module.resourceURL).appendingPathComponent("Golden/\(name)")
}

/// A folder that is removed with this object, filled with some of the tiny tokenizer's files.
final class TinyFolder {
  let path: String

  init(_ names: String...) throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("tokenizer-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for name in names { try FileManager.default.copyItem(atPath: goldenURL("tiny/\(name)").path, toPath: file(name)) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ text: String, _ name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
  }
}
