/// The names that someone who wrote `name` may have meant: a few typing errors away, or the beginning of one another.
/// The nearest come first, at most three.
package func similarNames(to name: String, among names: some Sequence<String>) -> [String] {
  let written = Array(name.lowercased().utf8)
  // An ending that most names have makes none of them alike.
  let stem = written.lastIndex(of: UInt8(ascii: ".")) ?? written.count
  let near = Set(names).compactMap { other -> (distance: Int, name: String)? in
    let letters = Array(other.lowercased().utf8)
    // Beyond this length a name is compared with none: the table of distances would grow with its square.
    guard letters.count <= 200, written.count <= 200 else { return nil }
    let distance = editDistance(written, letters)
    let isBeginning =
      min(written.count, letters.count) >= 3 && (letters.starts(with: written) || written.starts(with: letters))
    return isBeginning || distance <= max(1, stem / 3) ? (distance, other) : nil
  }
  return near.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
}

/// Levenshtein's: letters to insert, delete or replace.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var row = Array(0...b.count)
  for (i, letter) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, other) in b.enumerated() {
      (diagonal, row[j + 1]) = (row[j + 1], min(diagonal + (letter == other ? 0 : 1), row[j] + 1, row[j + 1] + 1))
    }
  }
  return row[b.count]
}
