import Errors
import Files

/// What is said about a picture: by a text file beside it, or by its name.
public struct PictureCaption: Sendable, Equatable {
  /// Templates for this picture alone; empty where those of the training serve.
  public let templates: [String]
  /// What `[filewords]` stands for: tags or a sentence, without the word that is learned.
  public let words: String
  /// Whether the words are a caption that somebody wrote, not the picture's name.
  let isWritten: Bool

  public init(templates: [String] = [], words: String = "", isWritten: Bool = true) {
    self.templates = templates
    self.words = words
    self.isWritten = isWritten
  }

  /// Reads the lines of a text file: those with a gap are templates; the others are joined to the picture's words.
  /// - Parameter token: the word that is learned; where it stands in a line, that is the line's gap.
  /// - Throws: `badFile` naming file and line.
  init(text bytes: [UInt8], path: String, token: String?) throws(InversionError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw InversionError(.badFile, "'\(path)': not a text in UTF-8; give one caption a line")
    }
    var (templates, words): ([String], [String]) = ([], [])
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      var line = line.trimmingSpaces.replacing(PromptTemplates.name, with: PromptTemplates.gap)
      if line.isEmpty || line.hasPrefix("#") { continue }
      if let token, line.pieces.count == 1 { line = line.replacing(token, with: PromptTemplates.gap) }
      switch line.pieces.count {
      case 1: words.append(line)
      case 2: templates.append(line)
      default:
        throw InversionError(
          .badFile, "'\(path)', line \(number + 1): the word stands there more than once; write it once")
      }
    }
    guard !templates.isEmpty || !words.isEmpty else {
      throw InversionError(.badFile, "'\(path)': no caption; write one, or remove the file")
    }
    self.init(templates: templates, words: words.joined(separator: ", "))
  }

  /// What the name of a picture says, as AUTOMATIC1111 takes it: `003-red_hat.png` says 'red hat'.
  init(fileName: String) {
    let stem = fileName.split(separator: ".").dropLast().joined(separator: ".")
    let words = stem.drop { $0.isNumber || $0 == "-" || $0 == "_" || $0 == " " }
    self.init(words: words.map { $0 == "_" || $0 == "-" ? " " : String($0) }.joined(), isWritten: false)
  }

  /// All that is said, as one text.
  var said: String { ([words] + templates).joined(separator: "\n") }

  /// The captions of the picture, with a gap each.
  /// - Parameter shared: the training's templates.
  func texts(_ shared: PromptTemplates) -> [String] {
    if !templates.isEmpty { return templates }
    let hasPlace = shared.texts.contains { $0.contains(PromptTemplates.fileWords) }
    return isWritten && !words.isEmpty && !hasPlace ? [PromptTemplates.captioned] : shared.texts
  }
}
