import FoundationEssentials

/// Takes an infotext apart, as A1111's `parse_generation_parameters`: prompt, negative prompt, and pairs in the last
/// line.
package struct InfotextReader {
  package private(set) var parameters: [String: String] = [:]

  /// A last line with fewer pairs belongs to the prompt.
  private static let fewestPairs = 3
  private static let negativeStart = "Negative prompt:"

  package init(_ text: String) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard !text.isEmpty, let last = lines.popLast() else { return }
    var pairs = Self.pairs(last)
    if pairs.count < Self.fewestPairs {
      lines.append(last)
      pairs = []
    }
    var (prompt, negative): ([String], [String]) = ([], [])
    var isNegative = false
    for line in lines {
      var line = line.trimmed
      if line.hasPrefix(Self.negativeStart) {
        isNegative = true
        line = String(line.dropFirst(Self.negativeStart.count)).trimmed
      }
      if isNegative { negative.append(line) } else { prompt.append(line) }
    }
    for (key, value) in pairs { add(key, value) }
    parameters["Prompt"] = prompt.joined(separator: "\n")
    parameters["Negative prompt"] = negative.joined(separator: "\n")
  }

  /// A size becomes two parameters.
  private mutating func add(_ key: String, _ value: String) {
    let sides = value.split(separator: "x")
    if sides.count == 2, sides.allSatisfy({ Int($0) != nil }) {
      parameters["\(key)-1"] = String(sides[0])
      parameters["\(key)-2"] = String(sides[1])
    } else {
      parameters[key] = value
    }
  }

  /// `key: value` with commas between; a value that holds a comma stands in JSON's quotes.
  private static func pairs(_ line: String) -> [(String, String)] {
    var pairs: [(String, String)] = []
    var rest = line[...]
    while let colon = rest.firstIndex(of: ":") {
      let key = String(rest[..<colon]).trimmed
      rest = rest[rest.index(after: colon)...].drop { $0 == " " }
      let end = rest.first == "\"" ? closingQuote(rest) : nil
      let valueEnd = end ?? rest.firstIndex(of: ",") ?? rest.endIndex
      let value = String(rest[..<valueEnd])
      rest = rest[valueEnd...].drop { $0 == "," || $0 == " " }
      guard !key.isEmpty, key.allSatisfy({ $0.isLetter || $0.isNumber || "_ -/".contains($0) }) else { continue }
      pairs.append((key, end == nil ? value.trimmed : unquoted(value)))
    }
    return pairs
  }

  /// Behind the quote that ends the value; nil when none does.
  private static func closingQuote(_ text: Substring) -> Substring.Index? {
    var isEscaped = false
    for index in text.indices.dropFirst() {
      if isEscaped {
        isEscaped = false
      } else if text[index] == "\\" {
        isEscaped = true
      } else if text[index] == "\"" {
        return text.index(after: index)
      }
    }
    return nil
  }

  private static func unquoted(_ value: String) -> String {
    (try? JSONDecoder().decode(String.self, from: Data(value.utf8))) ?? value
  }
}

extension String {
  fileprivate var trimmed: String {
    var text = self[...]
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
