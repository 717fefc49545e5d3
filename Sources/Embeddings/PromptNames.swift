/// Finds the names of embeddings in a prompt.
///
/// An embedding named `<my-cat>` is called by `<my-cat>`, by `my-cat` and by `embedding:my-cat`, one named `my-cat` (or
/// kept in a file of that name) likewise. The longest name at a place wins, and a name is only found as a whole token:
/// `cat` is neither in 'category' nor in 'cat-toy' nor in 'risks'. Case does not matter unless two names differ in
/// nothing else, because the text encoder's tokenizer does not see it either.
public struct PromptNames: Sendable {
  /// A stretch of a prompt.
  public enum Piece: Sendable, Equatable {
    case text(String)
    case embedding(LearnedEmbedding)
  }

  /// A prompt taken apart.
  public struct Split: Sendable, Equatable {
    /// In the order of the prompt; every character of it is in a text or was part of a name.
    public let pieces: [Piece]
    /// What looks like an embedding (`<x>`, `embedding:x`) and is not in force, as written, each once. It stays
    /// in the text.
    public let missing: [String]
  }

  private let table: EmbeddingTable

  public init(table: EmbeddingTable) { self.table = table }

  /// Takes a prompt apart.
  public func split(_ prompt: String) -> Split {
    let exact = Array(prompt)
    let folded = exact.map(Self.folded)
    var pieces: [Piece] = []
    var missing: [String] = []
    var text = ""
    var i = 0
    while i < exact.count {
      if let found = longestSpelling(at: i, exact: exact, folded: folded) {
        if !text.isEmpty { pieces.append(.text(text)) }
        text = ""
        pieces.append(.embedding(found.embedding))
        i = found.end
        continue
      }
      if let name = Self.nameLike(at: i, in: exact), !missing.contains(name) { missing.append(name) }
      text.append(exact[i])
      i += 1
    }
    if !text.isEmpty { pieces.append(.text(text)) }
    return Split(pieces: pieces, missing: missing)
  }

  /// The longest spelling that stands at `start` as a whole token; among equally long ones, that of equal case.
  private func longestSpelling(
    at start: Int, exact: [Character], folded: [Character]
  ) -> (embedding: LearnedEmbedding, end: Int)? {
    guard !Self.joined(exact, at: start) else { return nil }
    let afterKeyword = start + Self.keyword.count
    let hasKeyword = folded[start...].starts(with: Self.keyword)
    var best: (match: PromptWords.Match, length: Int, end: Int)?
    for begin in hasKeyword ? [start, afterKeyword] : [start] {
      for length in table.words.lengths where begin + length <= folded.count {
        let end = begin + length
        if let best, end - start < best.length { break }
        guard !Self.joined(exact, at: end), begin == start || begin < exact.count else { continue }
        let (text, key) = (String(exact[begin..<end]), String(folded[begin..<end]))
        guard let match = table.words.match(text, folded: key) else { continue }
        if let best, end - start == best.length, best.match.isExact || !match.isExact { continue }
        best = (match, end - start, end)
      }
    }
    guard let best, let embedding = table.embeddings[best.match.name] else { return nil }
    return (embedding, best.end)
  }

  private static let keyword = Array("embedding:")

  /// Whether the characters on both sides of `boundary` belong to one word.
  private static func joined(_ prompt: [Character], at boundary: Int) -> Bool {
    guard boundary > 0, boundary < prompt.count else { return false }
    let (before, after) = (prompt[boundary - 1], prompt[boundary])
    if isWord(before) && isWord(after) { return true }
    // A hyphen between two words makes one of them ('cat-toy'), a dot does so between digits ('v1.5').
    if after == "-", boundary + 1 < prompt.count { return isWord(before) && isWord(prompt[boundary + 1]) }
    if before == "-", boundary > 1 { return isWord(after) && isWord(prompt[boundary - 2]) }
    if after == ".", boundary + 1 < prompt.count { return before.isNumber && prompt[boundary + 1].isNumber }
    if before == ".", boundary > 1 { return after.isNumber && prompt[boundary - 2].isNumber }
    return false
  }

  private static func isWord(_ c: Character) -> Bool { c.isLetter || c.isNumber || c == "_" }

  /// What stands at `start` and looks like the call of an embedding: `<name>` or `embedding:name`.
  private static func nameLike(at start: Int, in prompt: [Character]) -> String? {
    if prompt[start] == "<" {
      let inner = prompt[(start + 1)...].prefix { $0 != ">" && $0 != "<" && $0 != ":" && !$0.isWhitespace }
      guard !inner.isEmpty, inner.endIndex < prompt.count, prompt[inner.endIndex] == ">" else { return nil }
      return "<\(String(inner))>"
    }
    guard prompt[start].lowercased() == "e", !joined(prompt, at: start),
      prompt[start...].prefix(keyword.count).map(folded).elementsEqual(keyword)
    else { return nil }
    var name = prompt[(start + keyword.count)...].prefix { isWord($0) || $0 == "-" || $0 == "." || $0 == "/" }
    while name.last == "." { name.removeLast() }
    return name.isEmpty ? nil : "embedding:\(String(name))"
  }

  static func withoutBrackets(_ word: String) -> String {
    guard word.count > 2, word.first == "<", word.last == ">" else { return word }
    return String(word.dropFirst().dropLast())
  }

  /// A word in lower case, and its characters.
  static func foldedText(_ word: String) -> (text: String, length: Int) {
    // Printable ASCII has a character a byte; thousands of names should not be taken apart for that.
    if word.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return (word.lowercased(), word.utf8.count) }
    let characters = word.map(folded)
    return (String(characters), characters.count)
  }

  /// Lower case where that is one character again, so that positions stay what they are.
  private static func folded(_ c: Character) -> Character {
    let lower = c.lowercased()
    return lower.count == 1 ? Character(lower) : c
  }
}
