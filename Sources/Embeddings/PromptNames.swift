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

  /// One way to write an embedding's name.
  private struct Spelling {
    let exact: [Character]
    let folded: [Character]
    let embedding: LearnedEmbedding
  }

  /// By folded first character, longest first.
  private let spellings: [Character: [Spelling]]

  public init(table: EmbeddingTable) {
    var all: [Spelling] = []
    for (word, embedding) in table.namesAndAliases {
      let bare = Self.withoutBrackets(word)
      for form in Set([word, bare, "<\(bare)>"]) {
        // A name of its own right goes before what only follows from another name.
        if let owner = table.owner(of: form), owner != embedding.name { continue }
        for spelling in [form, "embedding:\(form)"] {
          all.append(Spelling(exact: Array(spelling), folded: Self.folded(spelling), embedding: embedding))
        }
      }
    }
    all.sort { a, b in
      a.exact.count != b.exact.count ? a.exact.count > b.exact.count : String(a.exact) < String(b.exact)
    }
    spellings = Dictionary(grouping: all.filter { !$0.folded.isEmpty }) { $0.folded[0] }
  }

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
        i += found.exact.count
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
  private func longestSpelling(at start: Int, exact: [Character], folded: [Character]) -> Spelling? {
    guard let candidates = spellings[folded[start]] else { return nil }
    var best: Spelling?
    for candidate in candidates {
      if let best, candidate.exact.count < best.exact.count { break }
      let end = start + candidate.folded.count
      guard end <= folded.count, folded[start..<end].elementsEqual(candidate.folded),
        !Self.joined(exact, at: start), !Self.joined(exact, at: end)
      else { continue }
      if exact[start..<end].elementsEqual(candidate.exact) { return candidate }
      if best == nil { best = candidate }
    }
    return best
  }

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
    let keyword = Array("embedding:")
    guard prompt[start].lowercased() == "e", !joined(prompt, at: start),
      prompt[start...].prefix(keyword.count).map(folded).elementsEqual(keyword)
    else { return nil }
    var name = prompt[(start + keyword.count)...].prefix { isWord($0) || $0 == "-" || $0 == "." || $0 == "/" }
    while name.last == "." { name.removeLast() }
    return name.isEmpty ? nil : "embedding:\(String(name))"
  }

  private static func withoutBrackets(_ word: String) -> String {
    guard word.count > 2, word.first == "<", word.last == ">" else { return word }
    return String(word.dropFirst().dropLast())
  }

  private static func folded(_ word: String) -> [Character] { word.map(folded) }

  /// Lower case where that is one character again, so that positions stay what they are.
  private static func folded(_ c: Character) -> Character {
    let lower = c.lowercased()
    return lower.count == 1 ? Character(lower) : c
  }
}

extension EmbeddingTable {
  /// Every word that is a name of its own right, with its embedding.
  fileprivate var namesAndAliases: [(String, LearnedEmbedding)] {
    embeddings.map { ($0.key, $0.value) }
      + aliases.compactMap { alias, name in embeddings[name].map { (alias, $0) } }
  }

  /// The name of the embedding whose own name or alias a word is, angle brackets counted.
  fileprivate func owner(of word: String) -> String? {
    embeddings[word]?.name ?? aliases[word]
  }
}
