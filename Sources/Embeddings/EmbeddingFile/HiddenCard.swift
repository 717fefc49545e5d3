import Images
import Zlib

/// Data in the low four bits of pixels: a block of low nibbles left of the picture, one of high nibbles right of it, a
/// black column between each and the picture (A1111's `image_embedding.py`).
enum HiddenCard {
  static let channels = 3
  /// The bits that carry data; the upper four are decoration.
  static let mask: UInt8 = 0x0F

  /// Nil for a picture that hides nothing.
  /// - Throws: `EmbeddingFault` when what is hidden is damaged or too large.
  static func json(in picture: Picture) throws -> [UInt8]? {
    guard let box = contentBox(of: picture) else { return nil }
    let black = box.columns.filter { isBlack(picture, column: $0, rows: box.rows) }
    guard let first = black.first, let last = black.last, first < last else { return nil }
    let low = block(of: picture, columns: box.columns.lowerBound..<first, rows: box.rows)
    let high = block(of: picture, columns: last + 1..<box.columns.upperBound, rows: box.rows)
    guard !low.isEmpty, low.count == high.count else { return nil }
    let bytes = zip(low, high).map { low, high in high << 4 | low }
    // zlib's first byte: an ordinary picture with two dark columns hardly has it.
    guard bytes.starts(with: [0x78]) else { return nil }
    do {
      return try inflate(bytes, limit: EmbeddingCard.jsonLimit)
    } catch {
      throw EmbeddingFault("data hidden in the pixels: \(error)")
    }
  }

  /// Where pixels are black in no channel, as A1111 crops.
  private static func contentBox(of picture: Picture) -> (columns: Range<Int>, rows: Range<Int>)? {
    var (left, right, top, bottom) = (picture.width, -1, picture.height, -1)
    for y in 0..<picture.height {
      for x in 0..<picture.width {
        let start = (y * picture.width + x) * channels
        guard picture.pixels[start] > 0, picture.pixels[start + 1] > 0, picture.pixels[start + 2] > 0 else { continue }
        (left, right) = (min(left, x), max(right, x))
        (top, bottom) = (min(top, y), max(bottom, y))
      }
    }
    return right < 0 ? nil : (left..<right + 1, top..<bottom + 1)
  }

  private static func isBlack(_ picture: Picture, column: Int, rows: Range<Int>) -> Bool {
    rows.allSatisfy { y in
      let start = (y * picture.width + column) * channels
      return (picture.pixels[start] | picture.pixels[start + 1] | picture.pixels[start + 2]) & mask == 0
    }
  }

  /// The nibbles of a block, row by row, with the noise taken off.
  private static func block(of picture: Picture, columns: Range<Int>, rows: Range<Int>) -> [UInt8] {
    var noise = CardNoise()
    var nibbles: [UInt8] = []
    nibbles.reserveCapacity(columns.count * rows.count * channels)
    for y in rows {
      for index in (y * picture.width + columns.lowerBound) * channels..<(y * picture.width + columns.upperBound)
        * channels
      {
        nibbles.append((picture.pixels[index] ^ noise.next()) & mask)
      }
    }
    return nibbles
  }
}

/// The linear congruential generator with which A1111 hides the structure of the data; restarted for each block.
struct CardNoise {
  private var state: UInt32 = 0

  /// 0...15
  mutating func next() -> UInt8 {
    state = 1_664_525 &* state &+ 1_013_904_223
    return UInt8(state % 255) & HiddenCard.mask
  }
}
