import Zlib

/// The pieces of a picture file beside its pixels: text and EXIF. Reads what it can of a damaged file and never fails.
struct PictureContainer {
  /// A TIFF structure, perhaps with "Exif\0\0" before it.
  private(set) var exif: [UInt8]?
  /// PNG's text chunks in their order.
  private(set) var texts: [(keyword: String, text: String)] = []

  /// A text of more than this, decompressed, is skipped.
  private static let textLimit = 16 << 20
  /// All texts together: many small chunks may each decompress to much.
  private static let textTotalLimit = 64 << 20
  private var textTotal = 0

  init(_ bytes: [UInt8], _ format: PictureFormat) {
    switch format {
    case .png: readPNG(bytes)
    case .webp: readWebP(bytes)
    case .jpeg: readJPEG(bytes)
    }
  }

  private mutating func readPNG(_ bytes: [UInt8]) {
    var offset = 8
    while let length = bytes.bigEndian32(at: offset), length <= bytes.count - offset - 12 {
      let type = bytes[offset + 4..<offset + 8]
      let body = offset + 8..<offset + 8 + length
      // The checksum covers type and body. A chunk that fails it is skipped, as libpng does.
      if bytes.bigEndian32(at: body.upperBound) == Int(crc32(Array(bytes[offset + 4..<body.upperBound]))) {
        readChunk(String(decoding: type, as: UTF8.self), bytes[body])
      }
      offset = body.upperBound + 4
    }
  }

  private mutating func readChunk(_ type: String, _ body: ArraySlice<UInt8>) {
    switch type {
    case "eXIf": exif = Array(body)
    case "tEXt":
      let parts = body.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { append(parts[0], latin1(parts[1])) }
    case "zTXt":
      let parts = body.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[1].first == 0, let text = inflated(parts[1].dropFirst()) else { return }
      append(parts[0], latin1(text[...]))
    case "iTXt":
      readInternationalText(body)
    default: break
    }
  }

  /// Keyword, 0, compressed?, method, language, 0, translated keyword, 0, UTF-8 text.
  private mutating func readInternationalText(_ body: ArraySlice<UInt8>) {
    guard let end = body.firstIndex(of: 0), body.endIndex - end > 3 else { return }
    let (flag, method) = (body[end + 1], body[end + 2])
    let parts = body[(end + 3)...].split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3 else { return }
    switch (flag, method) {
    case (0, _): append(body[..<end], String(decoding: parts[2], as: UTF8.self))
    case (1, 0):
      if let text = inflated(parts[2]) { append(body[..<end], String(decoding: text, as: UTF8.self)) }
    default: break
    }
  }

  private func inflated(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    try? inflate(Array(bytes), limit: min(Self.textLimit, Self.textTotalLimit - textTotal))
  }

  private mutating func append(_ keyword: ArraySlice<UInt8>, _ text: String) {
    guard text.utf8.count <= min(Self.textLimit, Self.textTotalLimit - textTotal) else { return }
    textTotal += text.utf8.count
    texts.append((latin1(keyword), text))
  }

  private func latin1(_ bytes: ArraySlice<UInt8>) -> String {
    var scalars = String.UnicodeScalarView()
    scalars.append(contentsOf: bytes.lazy.map { Unicode.Scalar($0) })
    return String(scalars)
  }

  /// RIFF: a name of four letters, a little-endian length, the body padded to an even length.
  private mutating func readWebP(_ bytes: [UInt8]) {
    var offset = 12
    while let length = bytes.littleEndian32(at: offset + 4), length <= bytes.count - offset - 8 {
      if bytes[offset..<offset + 4].elementsEqual("EXIF".utf8) { exif = Array(bytes[offset + 8..<offset + 8 + length]) }
      offset += 8 + length + length % 2
    }
  }

  /// Segments of 0xFF, a marker and a big-endian length that counts itself, up to the first scan.
  private mutating func readJPEG(_ bytes: [UInt8]) {
    let (firstScan, application1): (UInt8, UInt8) = (0xDA, 0xE1)
    var offset = 2
    while let length = bytes.bigEndian16(at: offset + 2), bytes[offset] == 0xFF, bytes[offset + 1] != firstScan,
      length >= 2, length <= bytes.count - offset - 2
    {
      let body = bytes[offset + 4..<offset + 2 + length]
      if bytes[offset + 1] == application1, exif == nil, body.starts(with: Exif.prefix) { exif = Array(body) }
      offset += 2 + length
    }
  }
}

extension [UInt8] {
  func bigEndian16(at offset: Int) -> Int? {
    offset >= 0 && offset <= count - 2 ? Int(self[offset]) << 8 | Int(self[offset + 1]) : nil
  }

  func bigEndian32(at offset: Int) -> Int? {
    guard let high = bigEndian16(at: offset), let low = bigEndian16(at: offset + 2) else { return nil }
    return high << 16 | low
  }

  func littleEndian32(at offset: Int) -> Int? {
    bigEndian32(at: offset).map { Int(UInt32($0).byteSwapped) }
  }
}
