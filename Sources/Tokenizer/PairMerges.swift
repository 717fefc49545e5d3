/// The byte-pair merges: which two neighbouring tokens become one, and which pair goes first.
struct PairMerges: Sendable {
  private struct Merge {
    let rank: Int32
    let result: Int32
  }

  private var merges: [UInt64: Merge]

  init(capacity: Int) { merges = Dictionary(minimumCapacity: capacity) }

  /// Adds a merge behind all others; of two with the same pair the first stays.
  mutating func append(_ left: Int32, _ right: Int32, result: Int32) {
    let merge = Merge(rank: Int32(merges.count), result: result)
    if let earlier = merges.updateValue(merge, forKey: Self.key(left, right)) {
      merges[Self.key(left, right)] = earlier
    }
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Merges a word's symbols until no pair is known: always the pair of lowest rank, the leftmost of equal ones.
  ///
  /// A heap of candidates keeps a word of n symbols at O(n log n): prompts come from outside and have no spaces when
  /// somebody wants to be slow.
  func apply(to symbols: [Int32]) -> [Int32] {
    guard symbols.count > 1 else { return symbols }
    var word = Word(symbols)
    var queue = CandidateHeap()
    for index in 0..<symbols.count - 1 { push(index, word, &queue) }
    while let candidate = queue.popFirst() {
      guard let right = word.next(candidate.index), word.symbols[candidate.index] == candidate.left,
        word.symbols[right] == candidate.right
      else { continue }  // one of the two has been merged since
      word.merge(candidate.index, into: candidate.result)
      push(candidate.index, word, &queue)
      if let previous = word.previous(candidate.index) { push(previous, word, &queue) }
    }
    return word.remaining
  }

  private func push(_ index: Int, _ word: Word, _ queue: inout CandidateHeap) {
    guard let right = word.next(index) else { return }
    let pair = (word.symbols[index], word.symbols[right])
    guard let merge = merges[Self.key(pair.0, pair.1)] else { return }
    queue.push(
      Candidate(rank: merge.rank, index: index, left: pair.0, right: pair.1, result: merge.result))
  }
}

/// A word while it is merged: symbols in a doubly linked list over their first places.
private struct Word {
  /// The symbol that begins at each place; `gone` where an earlier one has swallowed it.
  var symbols: [Int32]
  private var nextPlace: [Int]
  private var previousPlace: [Int]
  private static let gone: Int32 = -1

  init(_ symbols: [Int32]) {
    self.symbols = symbols
    nextPlace = Array(1...symbols.count)
    previousPlace = Array(-1..<symbols.count - 1)
  }

  func next(_ index: Int) -> Int? { nextPlace[index] < symbols.count ? nextPlace[index] : nil }
  func previous(_ index: Int) -> Int? { previousPlace[index] >= 0 ? previousPlace[index] : nil }

  /// Joins the symbol at `index` with the next one.
  mutating func merge(_ index: Int, into result: Int32) {
    let right = nextPlace[index]
    symbols[index] = result
    symbols[right] = Self.gone
    nextPlace[index] = nextPlace[right]
    if nextPlace[index] < symbols.count { previousPlace[nextPlace[index]] = index }
  }

  var remaining: [Int32] { symbols.filter { $0 != Self.gone } }
}

/// A pair that could be merged when it was found.
private struct Candidate: Comparable {
  let rank: Int32
  let index: Int
  let left: Int32
  let right: Int32
  let result: Int32

  static func < (a: Candidate, b: Candidate) -> Bool { (a.rank, a.index) < (b.rank, b.index) }
}

/// A binary heap, lowest first.
private struct CandidateHeap {
  private var items: [Candidate] = []

  mutating func push(_ item: Candidate) {
    items.append(item)
    var child = items.count - 1
    while child > 0, items[child] < items[(child - 1) / 2] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func popFirst() -> Candidate? {
    guard let last = items.popLast() else { return nil }
    guard let first = items.first else { return last }
    items[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && items[child] < items[least] {
        least = child
      }
      if least == parent { return first }
      items.swapAt(parent, least)
      parent = least
    }
  }
}
