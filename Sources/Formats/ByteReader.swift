/// Reads little-endian numbers and pieces from bytes, and refuses to leave them.
package struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  package private(set) var offset: Int
  private let end: Int

  /// - Parameter bytes: must outlive the reader.
  package init(_ bytes: UnsafeRawBufferPointer, from start: Int = 0) {
    precondition((0...bytes.count).contains(start))
    self.bytes = bytes
    offset = start
    end = bytes.count
  }

  package var remaining: Int { end - offset }

  package mutating func integer<Value: FixedWidthInteger>(_: Value.Type) throws -> Value {
    let size = MemoryLayout<Value>.size
    guard remaining >= size else { throw FormatFault("truncated") }
    defer { offset += size }
    return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  /// A count that a file gives, as an index into it.
  package mutating func count() throws -> Int {
    let value = try integer(UInt64.self)
    guard let count = Int(exactly: value) else { throw FormatFault("a count over 63 bits") }
    return count
  }

  package mutating func piece(_ count: Int) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else { throw FormatFault("truncated") }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  package mutating func text(_ count: Int) throws -> String {
    guard let text = String(validating: try piece(count), as: UTF8.self) else {
      throw FormatFault("text that is no UTF-8")
    }
    return text
  }

  /// The text up to a line feed, which is consumed.
  package mutating func line(limit: Int) throws -> String {
    let rest = bytes[offset..<end]
    guard let feed = rest.prefix(limit + 1).firstIndex(of: UInt8(ascii: "\n")) else {
      throw FormatFault(rest.count > limit ? "a line of more than \(limit) bytes" : "truncated")
    }
    let line = try text(feed - offset)
    offset += 1
    return line
  }
}

/// Why a file of torch or GGUF was refused; the file's name comes with the `InversionError` that it becomes.
package struct FormatFault: Error {
  package let reason: String

  package init(_ reason: String) { self.reason = reason }
}
