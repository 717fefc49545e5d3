import Errors
import Files
import StrictJSON

extension CLIPTokenizer {
  /// Reads a `tokenizer` folder as transformers saves it: `vocab.json` and `merges.txt`, or `tokenizer.json` alone;
  /// with `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` where they are there.
  /// - Throws: `.fileUnavailable` naming the file that is missing, `.badFile` naming the file and the reason.
  public init(folder: String) throws {
    var tables: TokenizerTables
    if exists("\(folder)/vocab.json") || !exists("\(folder)/tokenizer.json") {
      tables = try TokenizerTables(vocabularyFolder: folder)
    } else {
      tables = try TokenizerTables(tokenizerFile: "\(folder)/tokenizer.json")
    }
    // The config has the last word, so it is read last.
    for name in ["special_tokens_map.json", "tokenizer_config.json"] where exists("\(folder)/\(name)") {
      try scanJSON("\(folder)/\(name)") { try tables.settings.read(&$0) }
    }
    try self.init(tables)
  }
}

extension TokenizerTables {
  fileprivate init(vocabularyFolder folder: String) throws {
    var vocabulary: [VocabularyEntry] = []
    try scanJSON("\(folder)/vocab.json") { vocabulary = try readVocabulary(&$0) }
    try self.init(vocabulary: vocabulary, path: "\(folder)/vocab.json")
    let merges = "\(folder)/merges.txt"
    try appendMerges(readFile(path: merges))
    let added = "\(folder)/added_tokens.json"
    if exists(added) {
      var tokens: [VocabularyEntry] = []
      try scanJSON(added) { tokens = try readVocabulary(&$0) }
      try appendAdded(tokens)
    }
  }

  fileprivate init(tokenizerFile path: String) throws {
    var vocabulary: [VocabularyEntry]?
    var pairs: [[UInt8]] = []
    var added: [VocabularyEntry] = []
    try scanJSON(path) { scanner in
      try scanner.object { scanner, key in
        switch key {
        case "added_tokens": try scanner.array { added.append(try readAddedToken(&$0)) }
        case "model":
          try scanner.object { scanner, key in
            switch key {
            case "vocab": vocabulary = try readVocabulary(&scanner)
            case "merges": try scanner.array { pairs.append(try readPair(&$0)) }
            default: try scanner.skipValue()
            }
          }
        default: try scanner.skipValue()
        }
      }
    }
    guard let vocabulary else { throw InversionError(.badFile, "'\(path)': no 'model' with a 'vocab'; get it again") }
    try self.init(vocabulary: vocabulary, path: path)
    for (index, pair) in pairs.enumerated() {
      let parts = pair.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard parts.count == 2, appendMerge(parts[0], parts[1]) else { throw badMerge(index + 1, pair) }
    }
    try appendAdded(added)
  }

  /// Adds tokens behind the trained vocabulary; the list repeats special tokens that stand in it.
  ///
  /// Those of the vocabulary are not matched literally: SD 2.x pads with `!`, and a `!` of the prompt is no padding.
  private mutating func appendAdded(_ list: [VocabularyEntry]) throws {
    let first = tokens.count
    try append(list.filter { tokens.id(of: $0.token[...]) == nil })
    added = (first..<tokens.count).map(Int32.init)
  }
}

extension TokenizerSettings {
  /// Reads what a tokenizer_config.json or a special_tokens_map.json says; other keys are skipped.
  fileprivate mutating func read(_ scanner: inout JSONScanner) throws {
    var settings = self
    try scanner.object { scanner, key in
      switch key {
      case "bos_token": settings.bos = try Self.token(&scanner) ?? settings.bos
      case "eos_token": settings.eos = try Self.token(&scanner) ?? settings.eos
      case "pad_token": settings.pad = try Self.token(&scanner) ?? settings.pad
      case "unk_token": settings.unknown = try Self.token(&scanner) ?? settings.unknown
      case "model_max_length" where scanner.nextKind() == .number:
        // "No limit" is written as 1e30.
        let length = try scanner.number()
        if (3...65536).contains(length) { settings.maxLength = Int(length) }
      default: try scanner.skipValue()
      }
    }
    self = settings
  }

  /// A token is a string, or an object with its text in `content`.
  private static func token(_ scanner: inout JSONScanner) throws -> String? {
    switch scanner.nextKind() {
    case .string: return try scanner.string()
    case .object:
      var content: String?
      try scanner.object { scanner, key in
        if key == "content" { content = try scanner.string() } else { try scanner.skipValue() }
      }
      return content
    default:
      try scanner.skipValue()
      return nil
    }
  }
}

/// Reads `{"token": id, …}`.
private func readVocabulary(_ scanner: inout JSONScanner) throws -> [VocabularyEntry] {
  var vocabulary: [VocabularyEntry] = []
  try scanner.table { scanner, token in
    vocabulary.append(VocabularyEntry(token: token, id: try scanner.unsignedInteger()))
  }
  return vocabulary
}

/// Reads an entry of `added_tokens` in a tokenizer.json.
private func readAddedToken(_ scanner: inout JSONScanner) throws -> VocabularyEntry {
  var token: [UInt8] = []
  var id: UInt64 = 0
  try scanner.object { scanner, key in
    switch key {
    case "id": id = try scanner.unsignedInteger()
    case "content": token = try scanner.stringBytes()
    default: try scanner.skipValue()
    }
  }
  return VocabularyEntry(token: token, id: id)
}

/// Reads a merge of a tokenizer.json, `["a","b"]` or `"a b"`, as `a b`.
private func readPair(_ scanner: inout JSONScanner) throws -> [UInt8] {
  if scanner.nextKind() == .string { return try scanner.stringBytes() }
  var parts: [[UInt8]] = []
  try scanner.array { parts.append(try $0.stringBytes()) }
  return Array(parts.joined(separator: [UInt8(ascii: " ")]))
}

private func scanJSON(_ path: String, _ read: (inout JSONScanner) throws -> Void) throws {
  do {
    var scanner = try JSONScanner(readFile(path: path))
    try read(&scanner)
    try scanner.end()
  } catch let error as JSONError {
    throw InversionError(.badFile, "'\(path)': invalid JSON: \(error); get the file again")
  }
}
