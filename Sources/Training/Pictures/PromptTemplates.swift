import Errors
import Files

/// Captions with a gap `{}` (or, as AUTOMATIC1111 writes it, `[name]`) for the word that is learned, and perhaps
/// `[filewords]` for what the picture's own text says.
public struct PromptTemplates: Sendable, Equatable, Codable {
  static let gap = "{}"
  static let name = "[name]"
  static let fileWords = "[filewords]"

  /// `object`, `style` or the file's path.
  public let name: String
  public let texts: [String]

  /// The 27 templates for objects of Gal et al. 2022.
  public static let object = PromptTemplates(
    name: "object",
    texts: [
      "a photo of a {}", "a rendering of a {}", "a cropped photo of the {}", "the photo of a {}",
      "a photo of a clean {}", "a photo of a dirty {}", "a dark photo of the {}", "a photo of my {}",
      "a photo of the cool {}", "a close-up photo of a {}", "a bright photo of the {}", "a cropped photo of a {}",
      "a photo of the {}", "a good photo of the {}", "a photo of one {}", "a close-up photo of the {}",
      "a rendition of the {}", "a photo of the clean {}", "a rendition of a {}", "a photo of a nice {}",
      "a good photo of a {}", "a photo of the nice {}", "a photo of the small {}", "a photo of the weird {}",
      "a photo of the large {}", "a photo of a cool {}", "a photo of a small {}",
    ])

  /// Their 19 templates for styles; two stand there twice.
  public static let style = PromptTemplates(
    name: "style",
    texts: [
      "a painting in the style of {}", "a rendering in the style of {}", "a cropped painting in the style of {}",
      "the painting in the style of {}", "a clean painting in the style of {}", "a dirty painting in the style of {}",
      "a dark painting in the style of {}", "a picture in the style of {}", "a cool painting in the style of {}",
      "a close-up painting in the style of {}", "a bright painting in the style of {}",
      "a cropped painting in the style of {}", "a good painting in the style of {}",
      "a close-up painting in the style of {}", "a rendition in the style of {}", "a nice painting in the style of {}",
      "a small painting in the style of {}", "a weird painting in the style of {}",
      "a large painting in the style of {}",
    ])

  private init(name: String, texts: [String]) {
    self.name = name
    self.texts = texts
  }

  /// What a caption without a gap becomes: the word, then what the picture's text says.
  static let captioned = "\(gap), \(fileWords)"

  /// Reads a text file, one template a line; empty lines and lines that begin with `#` are skipped.
  /// - Throws: `fileUnavailable`, or `badFile` naming file and line.
  public init(file path: String) throws {
    try self.init(name: path, text: readFile(path: path, limit: Self.fileLimit), path: path)
  }

  static let fileLimit = 1 << 20

  init(name: String, text bytes: [UInt8], path: String) throws {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw InversionError(.badFile, "'\(path)': not a text in UTF-8; give one template a line")
    }
    var texts: [String] = []
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let template = line.trimmingSpaces.replacing(Self.name, with: Self.gap)
      if template.isEmpty || template.hasPrefix("#") { continue }
      guard template.pieces.count == 2 else {
        throw InversionError(
          .badFile, "'\(path)', line \(number + 1): a template has one '\(Self.gap)' for the word, as 'a photo of a {}'"
        )
      }
      texts.append(template)
    }
    guard !texts.isEmpty else {
      throw InversionError(.badFile, "'\(path)': no template; give one a line, as 'a photo of a {}'")
    }
    self.init(name: name, texts: texts)
  }
}

extension String {
  /// What stands before and after each gap of a template.
  var pieces: [String] { pieces(around: PromptTemplates.gap) }

  /// What stands before and after each `gap`.
  func pieces(around gap: String) -> [String] {
    split(separator: gap, omittingEmptySubsequences: false).map(String.init)
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  var trimmingSpaces: String {
    guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace }) else {
      return ""
    }
    return String(self[first...last])
  }
}
