/// Waiting jobs of several users: each user's in order, the users in turn, so that one with many jobs cannot make
/// another wait for all of them.
package struct FairQueue<Element> {
  /// Numbers of elements that may wait.
  var limitPerOwner: Int
  var limit: Int
  /// The next owner to be served comes first; none has an empty list.
  private var owners: [(owner: UInt32, elements: [Element])] = []

  package init(limitPerOwner: Int, limit: Int) {
    self.limitPerOwner = limitPerOwner
    self.limit = limit
  }

  package var count: Int { owners.reduce(0) { $0 + $1.elements.count } }
  package var isEmpty: Bool { owners.isEmpty }

  /// - Returns: false, and nothing is added, when the owner or the queue has no room left.
  package mutating func append(_ element: Element, owner: UInt32) -> Bool {
    guard count < limit else { return false }
    guard let index = owners.firstIndex(where: { $0.owner == owner }) else {
      guard limitPerOwner > 0 else { return false }
      owners.append((owner, [element]))
      return true
    }
    guard owners[index].elements.count < limitPerOwner else { return false }
    owners[index].elements.append(element)
    return true
  }

  package mutating func popFirst() -> Element? {
    guard !owners.isEmpty else { return nil }
    var first = owners.removeFirst()
    let element = first.elements.removeFirst()
    if !first.elements.isEmpty { owners.append(first) }
    return element
  }

  /// Takes an element out, wherever it waits.
  package mutating func remove(where matches: (Element) -> Bool) -> Element? {
    for i in owners.indices {
      guard let j = owners[i].elements.firstIndex(where: matches) else { continue }
      let element = owners[i].elements.remove(at: j)
      if owners[i].elements.isEmpty { owners.remove(at: i) }
      return element
    }
    return nil
  }

  /// The elements in the order in which they would be served now.
  package var inOrder: [Element] {
    var copy = self
    var elements: [Element] = []
    while let element = copy.popFirst() { elements.append(element) }
    return elements
  }
}
