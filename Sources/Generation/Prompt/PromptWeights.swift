/// A prompt taken apart by AUTOMATIC1111's weights: `(x)` is 1.1, `[x]` 1/1.1, `(x:1.3)` 1.3, nested ones multiply, a
/// backslash makes a bracket text, and BREAK begins a new chunk. Whatever is unbalanced is closed at the end.
///
/// Parsed in one pass; brackets nested deeper than `deepest` weigh nothing.
enum PromptWeights {
  static let deepest = 64
  /// No weight is larger than this, with either sign: what is beyond would only overflow.
  static let largest = 1e6
  private static let step = 1.1

  enum Piece: Equatable {
    case text(String, weight: Double)
    case chunkBreak
  }

  static func pieces(_ prompt: String) -> [Piece] {
    var reader = Reader(Array(prompt.unicodeScalars))
    reader.read()
    return merged(reader.pieces.isEmpty ? [.text("", weight: 1)] : reader.pieces)
  }

  /// Neighbours of equal weight in one.
  private static func merged(_ pieces: [Piece]) -> [Piece] {
    var result: [Piece] = []
    var run = ""
    var runWeight: Double?
    func flush() {
      if let weight = runWeight { result.append(.text(run, weight: max(-largest, min(weight, largest)))) }
      (run, runWeight) = ("", nil)
    }
    for piece in pieces {
      switch piece {
      case .text(let text, let weight):
        if let runWeight, runWeight != weight { flush() }
        run += text
        runWeight = weight
      case .chunkBreak:
        flush()
        result.append(.chunkBreak)
      }
    }
    flush()
    return result
  }

  private struct Reader {
    private let text: [Unicode.Scalar]
    private var position = 0
    private(set) var pieces: [Piece] = []
    /// Where open brackets began, in pieces.
    private var round: [Int] = []
    private var square: [Int] = []

    init(_ text: [Unicode.Scalar]) { self.text = text }

    mutating func read() {
      while position < text.count {
        let scalar = text[position]
        position += 1
        switch scalar {
        case "\\":
          let next = position < text.count ? text[position] : " "
          guard "()[]\\".unicodeScalars.contains(next) else { continue }
          position += 1
          append(String(next))
        case "(": round.append(pieces.count)
        case "[": square.append(pieces.count)
        case ")": close(\.round, by: PromptWeights.step, else: ")")
        case "]": close(\.square, by: 1 / PromptWeights.step, else: "]")
        case ":":
          guard let (weight, end) = weight(), !round.isEmpty else {
            append(":")
            continue
          }
          position = end
          close(\.round, by: weight, else: "")
        default: readText(from: position - 1)
        }
      }
      // What was never closed holds to the end.
      while !round.isEmpty { close(\.round, by: PromptWeights.step, else: "") }
      while !square.isEmpty { close(\.square, by: 1 / PromptWeights.step, else: "") }
    }

    private mutating func append(_ string: String) { pieces.append(.text(string, weight: 1)) }

    private mutating func close(
      _ open: WritableKeyPath<Reader, [Int]>, by factor: Double, else literal: String
    ) {
      guard let start = self[keyPath: open].popLast() else {
        append(literal)
        return
      }
      guard self[keyPath: open].count < PromptWeights.deepest else { return }
      for index in start..<pieces.count {
        if case .text(let string, let weight) = pieces[index] {
          pieces[index] = .text(string, weight: weight * factor)
        }
      }
    }

    /// The number of `: 1.3 )` behind a colon, and the place behind it.
    private func weight() -> (Double, Int)? {
      var index = position
      func skipSpace() { while index < text.count, text[index].properties.isWhitespace { index += 1 } }
      skipSpace()
      let start = index
      if index < text.count, text[index] == "+" || text[index] == "-" { index += 1 }
      while index < text.count, text[index] == "." || ("0"..."9").contains(text[index]) { index += 1 }
      let digits = String(String.UnicodeScalarView(text[start..<index]))
      skipSpace()
      guard index < text.count, text[index] == ")", let weight = Double(digits) else { return nil }
      return (weight, index + 1)
    }

    /// A run without special characters, cut at each BREAK that stands as a word.
    private mutating func readText(from start: Int) {
      while position < text.count, !"\\()[]:".unicodeScalars.contains(text[position]) { position += 1 }
      let word = Array("BREAK".unicodeScalars)
      var (piece, index) = (start, start)
      while index + word.count <= position {
        let end = index + word.count
        guard text[index] == "B", text[index..<end].elementsEqual(word), !isWord(index - 1, from: start),
          end == position || !isWord(end, from: start)
        else {
          index += 1
          continue
        }
        append(trimmedEnd(piece, index))
        pieces.append(.chunkBreak)
        index = end
        while index < position, text[index].properties.isWhitespace { index += 1 }
        piece = index
      }
      append(String(String.UnicodeScalarView(text[piece..<position])))
    }

    private func isWord(_ index: Int, from start: Int) -> Bool {
      guard index >= start else { return false }
      let properties = text[index].properties
      return properties.isAlphabetic || properties.numericType != nil || text[index] == "_"
    }

    private func trimmedEnd(_ start: Int, _ end: Int) -> String {
      var end = end
      while end > start, text[end - 1].properties.isWhitespace { end -= 1 }
      return String(String.UnicodeScalarView(text[start..<end]))
    }
  }
}
