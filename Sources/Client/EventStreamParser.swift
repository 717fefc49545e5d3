import Errors

/// Takes a stream of server-sent events apart, in whatever pieces it comes.
struct EventStreamParser {
  /// A result carries whole pictures.
  private static let lineLimit = 512 << 20

  private var line: [UInt8] = []
  private var name = ""
  private var data: [UInt8] = []

  /// The events that `bytes` completes.
  /// - Throws: `.internal` for a line without end.
  mutating func feed(_ bytes: [UInt8]) throws(InversionError) -> [(name: String, data: [UInt8])] {
    var events: [(name: String, data: [UInt8])] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      line += rest[..<end]
      rest = rest[(end + 1)...]
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      if let event = endOfLine() { events.append(event) }
    }
    line += rest
    guard line.count + data.count <= Self.lineLimit else {
      throw InversionError(.internal, "the daemon sent an event of over \(Self.lineLimit) bytes")
    }
    return events
  }

  private mutating func endOfLine() -> (name: String, data: [UInt8])? {
    defer { line.removeAll(keepingCapacity: true) }
    if line.isEmpty {
      defer { (name, data) = ("", []) }
      return data.isEmpty ? nil : (name.isEmpty ? "message" : name, data)
    }
    if let value = value(of: "event:") { name = String(decoding: value, as: UTF8.self) }
    if let value = value(of: "data:") {
      if !data.isEmpty { data.append(UInt8(ascii: "\n")) }
      data += value
    }
    return nil
  }

  private func value(of field: String) -> ArraySlice<UInt8>? {
    guard line.starts(with: field.utf8) else { return nil }
    let value = line.dropFirst(field.utf8.count)
    return value.first == UInt8(ascii: " ") ? value.dropFirst() : value
  }
}
