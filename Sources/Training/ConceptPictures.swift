import Errors
import Files
import Formats
import FoundationEssentials
import Images

/// A picture of the concept, and what is known about it.
public struct ConceptPicture: Sendable {
  public let path: String
  /// Of the file, in lower-case hex.
  public let sha256: String
  /// Square, of the size that was asked for.
  public let picture: Picture
  /// Captions of its own, from a text file beside it; empty where there is none.
  public let templates: [String]
}

/// The pictures of a folder, cut to squares of one size.
///
/// PNG, JPEG and WebP files by their extension; all else is left alone, sub-folders too. A file `cat.txt` beside
/// `cat.png` holds templates for this picture alone, such as `a {} on a red background`: what the caption says need not
/// be learned.
public enum ConceptPictures {
  /// - Throws: `fileUnavailable` or `badPicture` or `badFile`, naming the folder or file.
  public static func read(folder: String, size: Int) throws -> [ConceptPicture] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw InversionError(.fileUnavailable, "'\(folder)': no folder that can be read; give a folder of pictures")
    }
    let pictures = names.filter { !$0.hasPrefix(".") && PictureFormat(path: $0) != nil }
    guard !pictures.isEmpty else {
      throw InversionError(
        .fileUnavailable, "'\(folder)': no pictures; give a folder with three to five PNG, JPEG or WebP files")
    }
    return try pictures.map { try read("\(folder)/\($0)", size: size) }
  }

  private static func read(_ path: String, size: Int) throws -> ConceptPicture {
    let bytes = try readFile(path: path)
    let decoded = try DecodedPicture(bytes, source: path)
    let square = decoded.picture.centerSquareCropped.resized(to: size)
    return ConceptPicture(
      path: path, sha256: sha256Hex(of: bytes), picture: square, templates: try templates(beside: path))
  }

  private static func templates(beside path: String) throws -> [String] {
    guard let dot = path.lastIndex(of: ".") else { return [] }
    let text = path[..<dot] + ".txt"
    guard FileManager.default.fileExists(atPath: String(text)) else { return [] }
    return try PromptTemplates(file: String(text)).texts
  }
}
