import FoundationEssentials
import Images
import StrictJSON

/// AUTOMATIC1111's embeddings in pictures: its dictionary as JSON, in base64 in a PNG's text, or hidden in the pixels.
enum EmbeddingCard {
  static let keyword = "sd-ti-embedding"
  static let tensorKey = "TORCHTENSOR"
  /// 75 vectors of the widest encoder take some 6 MB as decimal numbers.
  static let jsonLimit = 16 << 20
  private static let pixelLimit = 16_000_000

  /// Nil for a picture that carries nothing. The text goes before the pixels, as it does for A1111.
  /// - Throws: `EmbeddingFault`; `InversionError` for a damaged picture.
  static func content(
    of bytes: [UInt8], _ container: EmbeddingContainer, path: String
  ) throws -> EmbeddingContent? {
    if let text = readPNGTexts(bytes).first(where: { $0.keyword == keyword })?.text {
      guard let json = Data(base64Encoded: text, options: .ignoreUnknownCharacters) else {
        throw EmbeddingFault("damaged text '\(keyword)': no base64")
      }
      return try content(json: [UInt8](json), container, .card)
    }
    let limits = PictureLimits(bytes: EmbeddingFile.byteLimit, pixels: pixelLimit)
    let picture = try DecodedPicture(bytes, source: path, transparency: .ignored, limits: limits).picture
    guard let json = try HiddenCard.json(in: picture) else { return nil }
    return try content(json: json, container, .hiddenCard)
  }

  static func content(
    json: [UInt8], _ container: EmbeddingContainer, _ layout: EmbeddingLayout
  ) throws -> EmbeddingContent {
    var content = EmbeddingContent(container: container, tensors: [], layout: layout)
    do {
      var scanner = try JSONScanner(json)
      try scanner.object { scanner, key in
        switch (key, scanner.nextKind()) {
        case ("string_to_param", .object):
          try scanner.object { scanner, key in content.tensors.append(try tensor(key, &scanner)) }
        case ("name", .string): content.name = try scanner.string()
        case (_, .string): content.metadata[key] = try scanner.string()
        case (_, .number):
          let number = try scanner.number()
          content.metadata[key] = Int(exactly: number).map(String.init) ?? String(number)
        default: try scanner.skipValue()
        }
      }
      try scanner.end()
    } catch let error as JSONError {
      throw EmbeddingFault("damaged card: \(error)")
    }
    guard !content.tensors.isEmpty else { throw EmbeddingFault("a card without 'string_to_param': not an embedding") }
    return content
  }

  /// `{"TORCHTENSOR": [[…], …]}`
  private static func tensor(_ key: String, _ scanner: inout JSONScanner) throws -> EmbeddingContent.Tensor {
    var rows: [[Float]] = []
    var isFlat = false
    try scanner.object { scanner, name in
      guard name == tensorKey else { return try scanner.skipValue() }
      try scanner.array { scanner in
        if scanner.nextKind() == .array {
          var row: [Float] = []
          try scanner.array { row.append(try number(&$0)) }
          rows.append(row)
        } else {
          isFlat = true
          if rows.isEmpty { rows.append([]) }
          rows[0].append(try number(&scanner))
        }
      }
    }
    let width = rows.first?.count ?? 0
    guard rows.allSatisfy({ $0.count == width }), !isFlat || rows.count == 1 else {
      throw EmbeddingFault("a card with vectors of different lengths")
    }
    let values = Array(rows.joined())
    return EmbeddingContent.Tensor(key: key, shape: isFlat ? [width] : [rows.count, width], type: "JSON") { values }
  }

  /// Python writes NaN and Infinity, which JSON does not know.
  private static func number(_ scanner: inout JSONScanner) throws -> Float {
    guard scanner.nextKind() == .number else {
      throw EmbeddingFault("values that are not finite (NaN or infinity); the training diverged, train again")
    }
    return Float(try scanner.number())
  }
}
