/// The picture files that can be read and written.
public enum PictureFormat: String, Sendable, CaseIterable {
  case png, webp, jpeg

  /// The format that a file's name asks for; nil for another extension or none.
  public init?(path: String) {
    guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return nil }
    switch path[path.index(after: dot)...].lowercased() {
    case "png": self = .png
    case "webp": self = .webp
    case "jpg", "jpeg": self = .jpeg
    default: return nil
    }
  }

  /// The format that the first bytes of a file show, whatever its name is; nil for another.
  public init?(sniffing bytes: [UInt8]) {
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if bytes.starts(with: Array("RIFF".utf8)), bytes.dropFirst(8).starts(with: Array("WEBP".utf8)) {
      self = .webp
    } else {
      return nil
    }
  }

  public var mediaType: String { "image/\(rawValue)" }
}
