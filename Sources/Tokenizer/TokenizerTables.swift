import CClipMerges
import Errors

/// The special tokens' names and the length, as a tokenizer folder gives them.
struct TokenizerSettings: Sendable {
  var bos = "<|startoftext|>"
  var eos = "<|endoftext|>"
  var pad: String?
  var unknown: String?
  /// 77: the text encoders of Stable Diffusion, for folders that say nothing or "no limit".
  var maxLength = 77
}

/// A token as a file lists it, in UTF-8, with its id.
struct VocabularyEntry {
  let token: [UInt8]
  let id: UInt64
}

/// A vocabulary with its merges and settings, read and checked, of which a tokenizer is made.
struct TokenizerTables {
  var tokens: TokenTable
  var merges: PairMerges
  /// Ids of tokens that were added to a trained vocabulary, such as a learned placeholder; matched literally.
  var added: [Int32] = []
  var settings = TokenizerSettings()
  /// What to call the tables in a message.
  let path: String

  func specialToken(_ token: String) throws -> Int32 {
    guard let id = tokens.id(of: Array(token.utf8)[...]) else {
      throw InversionError(
        .badFile, "'\(path)': special token '\(token)' is not in the vocabulary; get the files again")
    }
    return Int32(id)
  }

  /// The tables of CLIP itself, whose vocabulary follows from its merges.
  init(clipMerges text: [UInt8]) throws {
    path = "built-in merges"
    tokens = TokenTable(capacity: 49408)
    merges = PairMerges(capacity: 48894)
    for suffix in [[], CLIPTokenizer.endOfWord] {
      for byte in ByteAlphabet.order {
        _ = tokens.append((Array(String(ByteAlphabet.scalars[Int(byte)]).utf8) + suffix)[...])
      }
    }
    try appendMerges(text) { tokens, token in _ = tokens.append(token) }
    for token in [settings.bos, settings.eos] { _ = tokens.append(Array(token.utf8)[...]) }
  }

  /// - Parameter vocabulary: tokens with their ids, which must be 0, 1, 2, …
  init(vocabulary: [VocabularyEntry], path: String) throws {
    self.path = path
    tokens = TokenTable(capacity: vocabulary.count)
    // Fewer than tokens: no merge makes a byte.
    merges = PairMerges(capacity: max(0, vocabulary.count - 512))
    try append(vocabulary)
  }

  /// Appends tokens behind those that are there.
  /// - Throws: `.badFile` when an id is missing or there twice.
  mutating func append(_ vocabulary: [VocabularyEntry]) throws {
    for entry in vocabulary.sorted(by: { $0.id < $1.id }) {
      guard entry.id == UInt64(tokens.count), tokens.append(entry.token[...]) else {
        let token = String(decoding: entry.token, as: UTF8.self)
        throw InversionError(
          .badFile,
          "'\(path)': token '\(token)' with id \(entry.id), there already or behind a gap before id \(tokens.count); "
            + "get the file again")
      }
    }
  }

  /// Adds the merges of a merges.txt: a header line, then a pair of tokens a line.
  /// - Parameter define: called with the joined token before it is looked up.
  mutating func appendMerges(_ text: [UInt8], define: (inout TokenTable, ArraySlice<UInt8>) -> Void = { _, _ in })
    throws
  {
    let space = UInt8(ascii: " ")
    var rest = text[...]
    var number = 0
    while !rest.isEmpty {
      let line = rest.prefix { $0 != UInt8(ascii: "\n") }
      rest = rest[line.endIndex...].dropFirst()
      number += 1
      let pair = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if pair.isEmpty || (number == 1 && String(decoding: pair, as: UTF8.self).contains("#version")) { continue }
      guard let gap = pair.firstIndex(of: space) else { throw badMerge(number, pair) }
      let (left, right) = (pair[..<gap], pair[(gap + 1)...])
      define(&tokens, left + right)
      guard !right.contains(space), appendMerge(left, right) else { throw badMerge(number, pair) }
    }
  }

  /// Adds one merge; false when one of the tokens is not in the vocabulary.
  mutating func appendMerge(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
    guard let leftID = tokens.id(of: left), let rightID = tokens.id(of: right), let result = tokens.id(of: left + right)
    else { return false }
    merges.append(Int32(leftID), Int32(rightID), result: Int32(result))
    return true
  }

  func badMerge(_ number: Int, _ text: some Sequence<UInt8>) -> InversionError {
    let text = String(decoding: Array(text.prefix(80)), as: UTF8.self)
    return InversionError(
      .badFile, "'\(path)': merge \(number) '\(text)' does not join two tokens of the vocabulary; get the files again")
  }
}

/// The text of CLIP's merges.txt, which is part of the program.
func builtInMerges() -> [UInt8] {
  Array(UnsafeRawBufferPointer(start: inv_clip_merges_start(), count: inv_clip_merges_size()))
}
