extension JSONScanner {
  /// Reads a string and resolves its escapes.
  public mutating func string() throws -> String {
    String(decoding: try stringBytes(), as: UTF8.self)
  }

  /// Reads a string as UTF-8 bytes: for keys of large tables, where a `String` for each would cost most of the time.
  public mutating func stringBytes() throws -> [UInt8] {
    try expect(UInt8(ascii: "\""), "a string")
    let start = offset
    var out: [UInt8] = []
    while let byte = skipPlain(&out) {
      switch byte {
      case UInt8(ascii: "\""):
        offset += 1
        return out
      case UInt8(ascii: "\\"):
        offset += 1
        try appendEscape(to: &out)
      default:
        throw JSONError("raw control character in a string", at: offset)
      }
    }
    throw JSONError("string without an end", at: start)
  }

  /// Appends what stands for itself and gives the byte that does not; nil at the end of the text.
  private mutating func skipPlain(_ out: inout [UInt8]) -> UInt8? {
    let start = offset
    while offset < bytes.count {
      let byte = bytes[offset]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 {
        out.append(contentsOf: bytes[start..<offset])
        return byte
      }
      offset += 1
    }
    return nil
  }

  private mutating func appendEscape(to out: inout [UInt8]) throws {
    guard let letter = peek() else { throw JSONError("string without an end", at: offset) }
    let start = offset - 1
    offset += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(letter)
    case UInt8(ascii: "b"): out.append(0x08)
    case UInt8(ascii: "f"): out.append(0x0C)
    case UInt8(ascii: "n"): out.append(0x0A)
    case UInt8(ascii: "r"): out.append(0x0D)
    case UInt8(ascii: "t"): out.append(0x09)
    case UInt8(ascii: "u"): out.append(contentsOf: String(try escapedScalar(from: start)).utf8)
    default: throw JSONError("unknown escape", at: start)
    }
  }

  /// The scalar of a `\u` escape whose `\u` has been read, with its second half when it is a surrogate pair.
  private mutating func escapedScalar(from start: Int) throws -> Unicode.Scalar {
    let first = try fourHexDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    let isHigh = first < 0xDC00
    guard isHigh, takeExactly(UInt8(ascii: "\\")), takeExactly(UInt8(ascii: "u")) else {
      throw JSONError("lone surrogate", at: start)
    }
    let second = try fourHexDigits()
    guard (0xDC00...0xDFFF).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw JSONError("lone surrogate", at: start) }
    return scalar
  }

  private mutating func takeExactly(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    offset += 1
    return true
  }

  private mutating func fourHexDigits() throws -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = Self.hexValue(byte) else {
        throw JSONError("expected four hexadecimal digits", at: offset)
      }
      value = value << 4 | digit
      offset += 1
    }
    return value
  }

  private static func hexValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) - 0x30
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte) - 0x61 + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte) - 0x41 + 10
    default: nil
    }
  }
}

/// `text` as a JSON string literal, escaped as serde_json does: only what must be.
public func jsonLiteral(_ text: String) -> String {
  var out = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": out += "\\\""
    case "\\": out += "\\\\"
    case "\u{8}": out += "\\b"
    case "\u{C}": out += "\\f"
    case "\n": out += "\\n"
    case "\r": out += "\\r"
    case "\t": out += "\\t"
    case "\0"..<" ":
      let hex = String(scalar.value, radix: 16)
      out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: out.unicodeScalars.append(scalar)
    }
  }
  return out + "\""
}
