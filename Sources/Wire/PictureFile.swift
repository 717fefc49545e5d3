import FoundationEssentials

/// The bytes of a picture file. In JSON it is base64, with or without `data:image/png;base64,` before it.
public struct PictureFile: Codable, Sendable, Equatable {
  public let bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Nil for what is no base64. Line breaks in it are allowed, as some writers put them.
  public init?(base64 text: String) {
    var encoded = text[...]
    if text.hasPrefix("data:") {
      guard let comma = text.firstIndex(of: ","), text[..<comma].hasSuffix(";base64") else { return nil }
      encoded = text[text.index(after: comma)...]
    }
    guard let data = Data(base64Encoded: String(encoded), options: .ignoreUnknownCharacters), !data.isEmpty else {
      return nil
    }
    bytes = [UInt8](data)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let file = PictureFile(base64: try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a picture file in base64")
    }
    self = file
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(Data(bytes).base64EncodedString())
  }
}
