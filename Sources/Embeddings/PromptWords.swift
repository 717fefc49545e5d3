/// Every way to write the names of a table's embeddings, made once a table and found by hashing: a request should not
/// pay for ten thousand names that it does not call.
final class PromptWords: Sendable {
  /// The embedding that a text calls.
  struct Match {
    let name: String
    /// Whether the text is written as the name is, case included.
    let isExact: Bool
  }

  /// By the spelling in lower case: the spellings as they are, each with the embedding's name.
  private let spellings: [String: [(spelling: String, name: String)]]
  /// Characters of the spellings, longest first.
  let lengths: [Int]
  /// The second words of each embedding, sorted.
  let aliases: [String: [String]]

  init(names: some Collection<String>, aliases: [String: String]) {
    let owned = Set(names)
    func owner(of word: String) -> String? { owned.contains(word) ? word : aliases[word] }
    var spellings: [String: [(spelling: String, name: String)]] = [:]
    var lengths: Set<Int> = []
    func add(_ word: String, _ name: String) {
      let bare = PromptNames.withoutBrackets(word)
      for spelling in Set([word, bare, "<\(bare)>"]) where !spelling.isEmpty {
        // A name of its own right goes before what only follows from another name.
        if let owner = owner(of: spelling), owner != name { continue }
        let (folded, length) = PromptNames.foldedText(spelling)
        lengths.insert(length)
        spellings[folded, default: []].append((spelling, name))
      }
    }
    for name in owned { add(name, name) }
    for (alias, name) in aliases { add(alias, name) }
    self.spellings = spellings.mapValues { $0.sorted { ($0.spelling, $0.name) < ($1.spelling, $1.name) } }
    self.lengths = lengths.sorted(by: >)
    self.aliases = Dictionary(grouping: aliases.keys) { aliases[$0] ?? "" }.mapValues { $0.sorted() }
  }

  /// The embedding that a text calls; of several that differ in case only, the one of equal case.
  func match(_ text: String, folded: String) -> Match? {
    guard let found = spellings[folded], let first = found.first else { return nil }
    if let exact = found.first(where: { $0.spelling == text }) { return Match(name: exact.name, isExact: true) }
    return Match(name: first.name, isExact: false)
  }
}
