import Errors

/// A body of `multipart/form-data` (RFC 7578), taken apart: texts and files by the names of their fields.
package struct MultipartForm {
  package private(set) var texts: [String: String] = [:]
  package private(set) var files: [String: [[UInt8]]] = [:]

  private static let partLimit = 64
  private static let headerLimit = 8 << 10
  /// RFC 2046.
  private static let boundaryLimit = 70

  /// - Throws: `.invalidArgument` when it is none, or broken off.
  package init(_ body: [UInt8], contentType: String) throws(InversionError) {
    guard contentType.lowercased().hasPrefix("multipart/form-data"),
      let boundary = Self.parameter("boundary", of: contentType), (1...Self.boundaryLimit).contains(boundary.utf8.count)
    else { throw Self.refusal("Content-Type: give 'multipart/form-data' with a boundary") }
    let delimiter = Array("\r\n--\(boundary)".utf8)
    // The first delimiter may stand at the very beginning.
    guard var start = Self.end(of: delimiter.dropFirst(2), in: body, from: 0) else {
      throw Self.refusal("the form has no part")
    }
    for _ in 0..<Self.partLimit {
      if body[start...].starts(with: "--".utf8) { return }
      guard let end = Self.start(of: delimiter[...], in: body, from: start) else {
        throw Self.refusal("the form breaks off")
      }
      try addPart(body[start..<end])
      start = end + delimiter.count
    }
    throw Self.refusal("the form has more than \(Self.partLimit) parts")
  }

  private mutating func addPart(_ part: ArraySlice<UInt8>) throws(InversionError) {
    let emptyLine = Array("\r\n\r\n".utf8)
    guard let end = Self.start(of: emptyLine[...], in: part, from: part.startIndex),
      end - part.startIndex <= Self.headerLimit,
      let header = String(validating: part[part.startIndex..<end], as: UTF8.self)
    else { throw Self.refusal("a part of the form has no header, or one that is too long") }
    let disposition = header.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-disposition:") }
    guard let disposition, let name = Self.parameter("name", of: String(disposition)) else {
      throw Self.refusal("a part of the form has no name")
    }
    let content = part[(end + emptyLine.count)...]
    if Self.parameter("filename", of: String(disposition)) != nil {
      files[name, default: []].append(Array(content))
    } else if let text = String(validating: content, as: UTF8.self) {
      texts[name] = text
    } else {
      throw Self.refusal("the form's field '\(name)' is not UTF-8")
    }
  }

  private static func refusal(_ reason: String) -> InversionError { InversionError(.invalidArgument, reason) }

  /// `key=value` or `key="value"` after a semicolon; nil when it is not there.
  private static func parameter(_ key: String, of header: String) -> String? {
    for part in header.split(separator: ";").dropFirst() {
      let pair = part.drop { $0 == " " }
      guard pair.lowercased().hasPrefix("\(key)=") else { continue }
      let value = pair.dropFirst(key.count + 1)
      return value.hasPrefix("\"")
        ? String(value.dropFirst().prefix { $0 != "\"" }) : String(value.prefix { $0 != " " })
    }
    return nil
  }

  private static func end(of text: ArraySlice<UInt8>, in body: [UInt8], from: Int) -> Int? {
    start(of: text, in: body[...], from: from).map { $0 + text.count }
  }

  private static func start(of text: ArraySlice<UInt8>, in body: [UInt8], from: Int) -> Int? {
    start(of: text, in: body[...], from: from)
  }

  /// Where the text is found first at or after an index. The first byte is looked for quickly, the rest compared.
  private static func start(of text: ArraySlice<UInt8>, in body: ArraySlice<UInt8>, from: Int) -> Int? {
    guard let first = text.first else { return nil }
    var index = from
    while let candidate = body[index...].firstIndex(of: first) {
      if body[candidate...].starts(with: text) { return candidate }
      index = candidate + 1
    }
    return nil
  }
}
