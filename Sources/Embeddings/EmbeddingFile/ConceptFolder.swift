import Formats
import Glibc

/// A folder of the sd-concepts-library: `learned_embeds.bin`, `token_identifier.txt`, and pictures.
enum ConceptFolder {
  static let fileStem = "learned_embeds"
  private static let identifierFile = "token_identifier.txt"

  /// The embedding file of a folder; nil when `path` is none, or another kind.
  static func file(in path: String) -> String? {
    ["safetensors", "bin", "pt"].map { "\(path)/\(fileStem).\($0)" }.first { access($0, R_OK) == 0 }
  }

  /// The word that `token_identifier.txt` gives to a file without a name of its own.
  static func identifier(beside path: String) -> String? {
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    guard let bytes = try? readFile(path: folder + identifierFile, limit: EmbeddingFile.nameLimit) else { return nil }
    let word = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return EmbeddingFile.isUsable(name: word) ? word : nil
  }
}
