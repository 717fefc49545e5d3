import Errors
import FoundationEssentials
import Images
import StrictJSON
import Zlib

extension EmbeddingCard {
  /// Pixels on a side of the picture that a card shows when there is no other.
  private static let plainSide = 256

  /// A PNG file that carries the embedding both ways, as A1111 writes it.
  static func png(of embedding: LearnedEmbedding, picture: Picture?) throws(InversionError) -> [UInt8] {
    let json = Array(json(of: embedding).utf8)
    let shown = picture ?? plainPicture
    let card = HiddenCard.picture(hiding: deflate(json), around: shown)
    return try card.encodedPNG(keyword: keyword, text: Data(json).base64EncodedString())
  }

  /// A1111's dictionary; every number is the shortest that reads back as the same f32.
  private static func json(of embedding: LearnedEmbedding) -> String {
    let rows = (0..<embedding.count).map { row in
      let values = embedding.vectors[row * embedding.width..<(row + 1) * embedding.width]
      return "[" + values.map { "\(Double($0))" }.joined(separator: ", ") + "]"
    }
    func text(_ key: String) -> String { embedding.metadata[key].map(jsonLiteral) ?? "null" }
    let step = embedding.metadata["step"].flatMap { Int($0) }.map(String.init) ?? "null"
    return "{\"string_to_token\": {\"*\": 265}, \"string_to_param\": {\"*\": {\"\(tensorKey)\": ["
      + rows.joined(separator: ", ") + "]}}, \"name\": \(jsonLiteral(embedding.name)), \"step\": \(step), "
      + "\"sd_checkpoint\": \(text("sd_checkpoint")), \"sd_checkpoint_name\": \(text("sd_checkpoint_name"))}"
  }

  /// Grey, and nowhere black: black columns delimit the data.
  private static var plainPicture: Picture {
    Picture(width: plainSide, height: plainSide, pixels: Array(repeating: 0x9F, count: plainSide * plainSide * 3))
  }
}

extension HiddenCard {
  /// The high bits of the data's pixels: dark, and never 0 in any channel, so that a reader that crops black margins
  /// keeps them.
  private static let decoration: UInt8 = 0x50

  /// The picture between two blocks of nibbles and two black columns.
  static func picture(hiding bytes: [UInt8], around picture: Picture) -> Picture {
    let (height, row) = (picture.height, picture.height * channels)
    let columns = (bytes.count + row - 1) / row
    let padded = bytes + [UInt8](repeating: 0, count: columns * row - bytes.count)
    let low = block(of: padded.map { $0 & mask })
    let high = block(of: padded.map { $0 >> 4 })
    let black = [UInt8](repeating: 0, count: channels)
    var pixels: [UInt8] = []
    for y in 0..<height {
      pixels += low[y * columns * channels..<(y + 1) * columns * channels] + black
      pixels += picture.pixels[y * picture.width * channels..<(y + 1) * picture.width * channels] + black
      pixels += high[y * columns * channels..<(y + 1) * columns * channels]
    }
    return Picture(width: picture.width + 2 * columns + 2, height: height, pixels: pixels)
  }

  private static func block(of nibbles: [UInt8]) -> [UInt8] {
    var noise = CardNoise()
    return nibbles.map { decoration | ($0 ^ noise.next()) }
  }
}
