/// Why a JSON text was refused, and at which byte.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  public let reason: String
  public let offset: Int

  public init(_ reason: String, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  public var description: String { "\(reason) at byte \(offset)" }
}

/// A pull parser for JSON that comes from outside, stricter than a general decoder.
///
/// The caller asks for what must come next, so that a huge text costs no tree of values. Refused: invalid UTF-8, a byte
/// order mark, duplicate keys, raw control characters, lone surrogates, numbers that JSON does not allow, nesting
/// deeper than `JSONScanner.depthLimit`, bytes after the value. Foundation's decoders accept several of these.
///
/// The bytes are an array on purpose: every access is bounds-checked in release builds too.
public struct JSONScanner {
  /// The limit that serde_json has, hence the reference reader of safetensors.
  public static let depthLimit = 128

  let bytes: [UInt8]
  public internal(set) var offset = 0
  var depth = 0

  /// - Throws: `JSONError` when the bytes are not UTF-8.
  public init(_ bytes: [UInt8]) throws {
    guard String(validating: bytes, as: UTF8.self) != nil else { throw JSONError("invalid UTF-8", at: 0) }
    self.bytes = bytes
  }

  /// Reads an object, calling `member` behind each key; `member` must consume exactly one value.
  public mutating func object(_ member: (inout JSONScanner, String) throws -> Void) throws {
    // Bytes, not strings: Swift's strings are equal when they are canonically equivalent.
    var seen = Set<[UInt8]>()
    try table { scanner, key in
      let text = String(decoding: key, as: UTF8.self)
      guard seen.insert(key).inserted else { throw JSONError("duplicate key '\(text)'", at: scanner.offset) }
      try member(&scanner, text)
    }
  }

  /// Reads an object of very many members, with its keys as UTF-8 and without looking for duplicate keys: the caller
  /// refuses them when it puts the members into its own table.
  public mutating func table(_ member: (inout JSONScanner, [UInt8]) throws -> Void) throws {
    try open(UInt8(ascii: "{"), "an object")
    if !take(UInt8(ascii: "}")) {
      repeat {
        let key = try stringBytes()
        try expect(UInt8(ascii: ":"), "':'")
        try member(&self, key)
      } while take(UInt8(ascii: ","))
      try expect(UInt8(ascii: "}"), "',' or '}'")
    }
    depth -= 1
  }

  /// Reads an array, calling `element` before each value; `element` must consume exactly one.
  public mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
    try open(UInt8(ascii: "["), "an array")
    if !take(UInt8(ascii: "]")) {
      repeat { try element(&self) } while take(UInt8(ascii: ","))
      try expect(UInt8(ascii: "]"), "',' or ']'")
    }
    depth -= 1
  }

  /// Reads a number that must be an unsigned integer: no sign, fraction or exponent.
  public mutating func unsignedInteger() throws -> UInt64 {
    skipSpace()
    let start = offset
    var value: UInt64 = 0
    while let digit = peek(), (0x30...0x39).contains(digit) {
      let (shifted, overflow1) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = shifted.addingReportingOverflow(UInt64(digit - 0x30))
      guard !overflow1, !overflow2 else { throw JSONError("integer over 64 bits", at: start) }
      value = sum
      offset += 1
    }
    guard offset > start else { throw JSONError("expected an unsigned integer", at: start) }
    if bytes[start] == 0x30, offset > start + 1 { throw JSONError("number with a leading zero", at: start) }
    if let next = peek(), [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(next) {
      throw JSONError("expected an integer, found a fraction or an exponent", at: start)
    }
    return value
  }

  /// Reads any number.
  public mutating func number() throws -> Double {
    skipSpace()
    let start = offset
    try skipNumber()
    guard let value = Double(String(decoding: bytes[start..<offset], as: UTF8.self)) else {
      throw JSONError("expected a number", at: start)
    }
    return value
  }

  /// What the next value is, without reading it; nil at the end or before a byte that begins no value.
  public mutating func nextKind() -> Kind? {
    skipSpace()
    switch peek() {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "-"): return .number
    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number
    default: return nil
    }
  }

  public enum Kind: Sendable { case object, array, string, number, boolean, null }

  /// Takes `null` when it comes next.
  public mutating func takeNull() -> Bool {
    skipSpace()
    return takeWord("null")
  }

  /// Checks that only white space is left.
  public mutating func end() throws {
    skipSpace()
    guard offset == bytes.count else { throw JSONError("bytes after the JSON value", at: offset) }
  }

  /// Reads one value of any kind and drops it.
  public mutating func skipValue() throws {
    skipSpace()
    switch peek() {
    case UInt8(ascii: "{"): try object { scanner, _ in try scanner.skipValue() }
    case UInt8(ascii: "["): try array { scanner in try scanner.skipValue() }
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "t") where takeWord("true"): break
    case UInt8(ascii: "f") where takeWord("false"): break
    case UInt8(ascii: "n") where takeWord("null"): break
    default: try skipNumber()
    }
  }
}

extension JSONScanner {
  func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

  mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
  }

  /// Skips white space and takes `byte` when it comes next.
  mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek() == byte else { return false }
    offset += 1
    return true
  }

  mutating func expect(_ byte: UInt8, _ what: String) throws {
    guard take(byte) else { throw JSONError("expected \(what)", at: offset) }
  }

  private mutating func open(_ bracket: UInt8, _ what: String) throws {
    try expect(bracket, what)
    depth += 1
    guard depth <= Self.depthLimit else { throw JSONError("nested deeper than \(Self.depthLimit)", at: offset) }
  }

  private mutating func takeWord(_ word: StaticString) -> Bool {
    let end = offset + word.utf8CodeUnitCount
    guard end <= bytes.count else { return false }
    let matches = word.withUTF8Buffer { bytes[offset..<end].elementsEqual($0) }
    if matches { offset = end }
    return matches
  }

  private mutating func skipNumber() throws {
    let start = offset
    if peek() == UInt8(ascii: "-") { offset += 1 }
    let firstDigit = offset
    try skipDigits(from: start)
    if bytes[firstDigit] == 0x30, offset > firstDigit + 1 { throw JSONError("number with a leading zero", at: start) }
    if peek() == UInt8(ascii: ".") {
      offset += 1
      try skipDigits(from: start)
    }
    if let byte = peek(), byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      offset += 1
      if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { offset += 1 }
      try skipDigits(from: start)
    }
  }

  private mutating func skipDigits(from start: Int) throws {
    let first = offset
    while let digit = peek(), (0x30...0x39).contains(digit) { offset += 1 }
    guard offset > first else { throw JSONError("expected a value", at: start) }
  }
}
