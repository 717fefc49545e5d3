@_spi(_Unicode) import Swift

/// Normalises text and splits it into words as CLIP's tokenizer does: NFC, white space to one space, lower case by code
/// point, then the matches of `'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+`.
enum WordSplitter {
  /// The words of `text`, as UTF-8.
  static func words(_ text: some StringProtocol) -> [[UInt8]] {
    let scalars = normalised(text)
    var words: [[UInt8]] = []
    var index = 0
    while index < scalars.count {
      let length = contraction(at: index, scalars) ?? run(at: index, scalars)
      if scalars[index].kind != .space {
        var word = String.UnicodeScalarView()
        word.append(contentsOf: scalars[index..<index + length].lazy.map(\.scalar))
        words.append(Array(String(word).utf8))
      }
      index += length
    }
    return words
  }

  private enum Kind { case letter, number, space, other }

  private struct Classified {
    let scalar: Unicode.Scalar
    let kind: Kind
  }

  private static func normalised(_ text: some StringProtocol) -> [Classified] {
    var out: [Classified] = []
    for composed in String(text)._nfc {
      if composed.value < 0x80 {
        out.append(classified(lowerASCII(composed)))
      } else {
        // The mapping of the code point alone: no rule looks at neighbours (Greek final sigma stays a sigma).
        for scalar in composed.properties.lowercaseMapping.unicodeScalars { out.append(classified(scalar)) }
      }
    }
    return out
  }

  private static func lowerASCII(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    ("A"..."Z").contains(scalar) ? Unicode.Scalar(UInt8(scalar.value) + 0x20) : scalar
  }

  private static func classified(_ scalar: Unicode.Scalar) -> Classified {
    Classified(scalar: scalar, kind: kind(scalar))
  }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    if scalar.value < 0x80 {
      switch scalar {
      case "a"..."z": return .letter
      case "0"..."9": return .number
      case " ", "\t"..."\r": return .space
      default: return .other
      }
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return scalar.properties.isWhitespace ? .space : .other
    }
  }

  /// The length of an English contraction's ending (`'s`, `'ll`) that begins at `index`.
  private static func contraction(at index: Int, _ scalars: [Classified]) -> Int? {
    guard scalars[index].scalar == "'", index + 1 < scalars.count else { return nil }
    let first = scalars[index + 1].scalar
    if ["s", "t", "m", "d"].contains(first) { return 2 }
    guard index + 2 < scalars.count else { return nil }
    switch (first, scalars[index + 2].scalar) {
    case ("r", "e"), ("v", "e"), ("l", "l"): return 3
    default: return nil
    }
  }

  /// The length of the run of equal kind that begins at `index`; a number stands alone.
  private static func run(at index: Int, _ scalars: [Classified]) -> Int {
    let kind = scalars[index].kind
    if kind == .number { return 1 }
    var end = index + 1
    while end < scalars.count, scalars[end].kind == kind { end += 1 }
    return end - index
  }
}
