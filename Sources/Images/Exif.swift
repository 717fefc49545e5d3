/// The two fields of an EXIF structure that matter here: how to turn the picture, and the user comment.
struct Exif {
  /// Stands before the structure in JPEG, and by custom of some writers in WebP.
  static let prefix: [UInt8] = Array("Exif".utf8) + [0, 0]

  private(set) var orientation = Orientation.upright
  private(set) var comment: String?

  private static let orientationTag = 0x0112
  private static let exifFolderTag = 0x8769
  private static let commentTag = 0x9286
  private static let undefinedType = 7
  private static let textCode = Array("UNICODE".utf8) + [0]

  /// Reads a TIFF structure; nil when it is none.
  init?(_ bytes: [UInt8]) {
    let tiff = Tiff(bytes.starts(with: Self.prefix) ? Array(bytes.dropFirst(Self.prefix.count)) : bytes)
    guard let tiff, let root = tiff.long(at: 4) else { return nil }
    if let field = tiff.field(Self.orientationTag, inFolderAt: root), let value = tiff.short(at: field.valueOffset) {
      orientation = Orientation(rawValue: UInt16(value)) ?? .upright
    }
    if let pointer = tiff.field(Self.exifFolderTag, inFolderAt: root), let folder = tiff.long(at: pointer.valueOffset),
      let field = tiff.field(Self.commentTag, inFolderAt: folder)
    {
      comment = tiff.bytes(of: field).map { Self.decodeComment($0, isBigEndian: tiff.isBigEndian) }
    }
  }

  /// A structure with a user comment and nothing else, as AUTOMATIC1111 writes it: big-endian, UTF-16.
  static func encode(comment: String) -> [UInt8] {
    let text = textCode + comment.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    let longType = 4
    let folderOffset = 26
    let textOffset = 44
    func short(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
    func long(_ value: Int) -> [UInt8] { short(value >> 16) + short(value & 0xFFFF) }
    func folder(_ tag: Int, _ type: Int, _ count: Int, _ value: Int) -> [UInt8] {
      short(1) + short(tag) + short(type) + long(count) + long(value) + long(0)
    }
    return Array("MM".utf8) + short(42) + long(8)
      + folder(exifFolderTag, longType, 1, folderOffset)
      + folder(commentTag, undefinedType, text.count, textOffset)
      + text
  }

  /// Eight bytes name the encoding. Without a known name the rest is taken as UTF-8.
  private static func decodeComment(_ bytes: [UInt8], isBigEndian: Bool) -> String {
    let body = bytes.dropFirst(textCode.count)
    guard bytes.starts(with: textCode) else {
      let isNamed = bytes.starts(with: Array("ASCII".utf8) + [0, 0, 0]) || bytes.prefix(8).allSatisfy { $0 == 0 }
      return String(decoding: trimmed(isNamed ? body : bytes[...]), as: UTF8.self)
    }
    // Big-endian by custom, whatever the structure's order is. Some write the machine's order: mostly Latin text tells,
    // by which byte of a pair is zero.
    let zeros = body.enumerated().reduce(into: [0, 0]) { if $1.element == 0 { $0[$1.offset % 2] += 1 } }
    let high = zeros[1] > zeros[0] ? 1 : 0
    let units = stride(from: body.startIndex, to: body.endIndex - 1, by: 2).map {
      UInt16(body[$0 + high]) << 8 | UInt16(body[$0 + 1 - high])
    }
    return String(decoding: units.first == 0xFEFF ? units.dropFirst() : units[...], as: UTF16.self)
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    bytes[..<((bytes.lastIndex { $0 != 0 }).map { $0 + 1 } ?? bytes.startIndex)]
  }
}

/// A TIFF structure: folders of fields, each with a tag, a type, a count and a value or the offset of one.
private struct Tiff {
  struct Field {
    let type: Int
    let count: Int
    /// Where the four bytes of the value, or of its offset, stand.
    let valueOffset: Int
  }

  private let data: [UInt8]
  let isBigEndian: Bool

  init?(_ data: [UInt8]) {
    if data.starts(with: [0x4D, 0x4D, 0, 42]) {
      isBigEndian = true
    } else if data.starts(with: [0x49, 0x49, 42, 0]) {
      isBigEndian = false
    } else {
      return nil
    }
    self.data = data
  }

  func short(at offset: Int) -> Int? {
    data.bigEndian16(at: offset).map { isBigEndian ? $0 : Int(UInt16($0).byteSwapped) }
  }

  func long(at offset: Int) -> Int? {
    isBigEndian ? data.bigEndian32(at: offset) : data.littleEndian32(at: offset)
  }

  func field(_ tag: Int, inFolderAt offset: Int) -> Field? {
    guard let count = short(at: offset) else { return nil }
    for entry in 0..<count {
      let start = offset + 2 + 12 * entry
      guard let found = short(at: start), let type = short(at: start + 2), let count = long(at: start + 4) else {
        return nil
      }
      if found == tag { return Field(type: type, count: count, valueOffset: start + 8) }
    }
    return nil
  }

  /// The bytes of a field of single bytes; nil when they are not all there.
  func bytes(of field: Field) -> [UInt8]? {
    let isInline = field.count <= 4
    guard let offset = isInline ? field.valueOffset : long(at: field.valueOffset), offset <= data.count,
      field.count <= data.count - offset
    else { return nil }
    return Array(data[offset..<offset + field.count])
  }
}
