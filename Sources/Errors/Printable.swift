extension String {
  /// The text on one line, without what a terminal would obey: control characters and those that turn the direction of
  /// writing stand as `\u{1b}`. Names of files and what stands in them come from outside.
  public var printable: String {
    // Nearly all text: a look at the bytes is enough.
    if utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      if scalar.isObeyed {
        text += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
  }
}

extension Unicode.Scalar {
  fileprivate var isObeyed: Bool {
    switch properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    // Marks, embeddings, overrides and isolates of direction. Joiners stay: emoji are made with them.
    case .format:
      [0x061C, 0x200E, 0x200F].contains(value) || (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value)
    default: false
    }
  }
}
