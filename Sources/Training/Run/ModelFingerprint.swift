import Formats
import FoundationEssentials

/// Tells which weights a word was trained on.
public enum ModelFingerprint {
  private static let weightEndings = ["safetensors", "bin", "ckpt", "gguf", "pt"]

  /// SHA-256 of a checkpoint file; of a folder, that of its weight files' names and hashes, in the order of the names.
  /// - Throws: `fileUnavailable`.
  public static func sha256(ofModel path: String) throws -> String {
    var isFolder = false
    _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard isFolder else { return try sha256Hex(ofFile: path) }
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
    let weights = names.sorted().filter { name in weightEndings.contains { name.hasSuffix(".\($0)") } }
    let lines = try weights.map { "\($0) \(try sha256Hex(ofFile: "\(path)/\($0)"))\n" }
    return sha256Hex(of: Array(lines.joined().utf8))
  }
}
