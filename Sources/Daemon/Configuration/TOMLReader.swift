import Errors

/// A value of a configuration file, with the line that it stands on.
struct TOMLEntry {
  enum Value: Equatable {
    case string(String)
    case integer(Int)
    case number(Double)
    case bool(Bool)
    case array([Value])
  }

  let value: Value
  let line: Int
}

/// What is wrong with a configuration file, and where.
struct ConfigurationFault: Error, Equatable {
  let line: Int
  let reason: String
}

/// Reads the part of TOML 1.0 that a configuration needs: tables, `key = value` with strings, numbers, booleans and
/// arrays of these, and comments. What is left out (dates, inline tables, arrays of tables, strings of several lines)
/// is refused by name. (There is a library, but it tells no line for a value, and is larger than
/// the rest of the daemon.)
struct TOMLReader {
  /// By their whole names: `limits.queue`.
  private(set) var entries: [String: TOMLEntry] = [:]
  private var tables: Set<String> = []
  private var rest: Substring
  private var line = 1
  private var table = ""

  private static let arrayLimit = 1000

  init(_ text: String) throws(ConfigurationFault) {
    // A single character for a line break, as Swift counts them.
    let unix = text.replacing("\r\n", with: "\n")
    rest = unix[...]
    while !rest.isEmpty { try readLine() }
    rest = ""
  }

  private func fault(_ reason: String) -> ConfigurationFault { ConfigurationFault(line: line, reason: reason) }

  private mutating func readLine() throws(ConfigurationFault) {
    skipSpaces()
    switch rest.first {
    case nil, "\n", "#": break
    case "[": try readTable()
    default: try readPair()
    }
    skipSpaces()
    if rest.first == "#" { try skipComment() }
    guard rest.isEmpty || rest.first == "\n" else {
      throw fault("'\(rest.prefix { $0 != "\n" }.prefix(20))' is too much here; start a new line")
    }
    if rest.popFirst() != nil { line += 1 }
  }

  private mutating func readTable() throws(ConfigurationFault) {
    rest.removeFirst()
    guard rest.first != "[" else { throw fault("arrays of tables are not for this file; use '[name]'") }
    table = try readKey()
    guard rest.first == "]" else { throw fault("the table's name must end with ']'") }
    rest.removeFirst()
    guard tables.insert(table).inserted else { throw fault("the table '[\(table)]' is there twice; join the two") }
  }

  private mutating func readPair() throws(ConfigurationFault) {
    let key = try readKey()
    guard rest.first == "=" else { throw fault("'=' is missing after '\(key)'") }
    rest.removeFirst()
    skipSpaces()
    let name = table.isEmpty ? key : "\(table).\(key)"
    let start = line
    let value = try readValue()
    guard entries.updateValue(TOMLEntry(value: value, line: start), forKey: name) == nil else {
      throw ConfigurationFault(line: start, reason: "'\(name)' is there twice; leave one out")
    }
  }

  /// Bare and quoted parts with dots between, and the spaces behind them.
  private mutating func readKey() throws(ConfigurationFault) -> String {
    var parts: [String] = []
    repeat {
      if !parts.isEmpty { rest.removeFirst() }
      skipSpaces()
      if rest.first == "\"" || rest.first == "'" {
        parts.append(try readString())
      } else {
        let part = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
        guard !part.isEmpty else { throw fault("a name is missing before '\(rest.prefix(1))'") }
        parts.append(String(part))
        rest = rest[part.endIndex...]
      }
      skipSpaces()
    } while rest.first == "."
    return parts.joined(separator: ".")
  }

  // MARK: Values

  private mutating func readValue() throws(ConfigurationFault) -> TOMLEntry.Value {
    switch rest.first {
    case "\"", "'": return .string(try readString())
    case "[": return .array(try readArray())
    case "{": throw fault("inline tables are not for this file; use '[name]'")
    default: return try readWord()
    }
  }

  private mutating func readArray() throws(ConfigurationFault) -> [TOMLEntry.Value] {
    rest.removeFirst()
    var values: [TOMLEntry.Value] = []
    while true {
      try skipLines()
      if rest.first == "]" { break }
      guard rest.first != "[" else { throw fault("arrays within arrays are not for this file") }
      values.append(try readValue())
      guard values.count <= Self.arrayLimit else { throw fault("more than \(Self.arrayLimit) values") }
      try skipLines()
      guard rest.first == "," else { break }
      rest.removeFirst()
    }
    guard rest.first == "]" else { throw fault("the array must end with ']'") }
    rest.removeFirst()
    return values
  }

  private mutating func readWord() throws(ConfigurationFault) -> TOMLEntry.Value {
    let word = rest.prefix { !$0.isWhitespace && $0 != "," && $0 != "]" && $0 != "#" }
    rest = rest[word.endIndex...]
    switch word {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "": throw fault("a value is missing")
    default:
      let digits = String(word.filter { $0 != "_" })
      if let integer = Int(digits) { return .integer(integer) }
      if digits.contains(where: { $0 == "." || $0 == "e" }), let number = Double(digits), number.isFinite {
        return .number(number)
      }
      throw fault("'\(word)' is no value; put texts in quotes")
    }
  }

  private mutating func readString() throws(ConfigurationFault) -> String {
    let quote = rest.removeFirst()
    guard !rest.hasPrefix(String(repeating: quote, count: 2)) else {
      throw fault("texts of several lines are not for this file")
    }
    var text = ""
    while let character = rest.popFirst(), character != "\n" {
      if character == quote { return text }
      text.append(character == "\\" && quote == "\"" ? try readEscape() : character)
    }
    throw fault("the text has no closing \(quote)")
  }

  private mutating func readEscape() throws(ConfigurationFault) -> Character {
    switch rest.popFirst() {
    case "\"": return "\""
    case "\\": return "\\"
    case "n": return "\n"
    case "t": return "\t"
    case let other: throw fault("'\\\(other.map(String.init) ?? "")' is no escape; use single quotes for plain texts")
    }
  }

  // MARK: Between values

  private mutating func skipSpaces() { rest = rest.drop { $0 == " " || $0 == "\t" } }

  private mutating func skipComment() throws(ConfigurationFault) { rest = rest.drop { $0 != "\n" } }

  private mutating func skipLines() throws(ConfigurationFault) {
    while true {
      skipSpaces()
      if rest.first == "#" { try skipComment() }
      guard rest.first == "\n" else { return }
      rest.removeFirst()
      line += 1
    }
  }
}
