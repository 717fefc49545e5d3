import Errors

/// CLIP's byte-pair tokenizer: id for id what transformers' CLIPTokenizer gives, without its optional text repair
/// (ftfy).
///
/// A value of flat, immutable tables (about 3 MB for CLIP's 49,408 tokens), free to share between threads.
public struct CLIPTokenizer: Sendable {
  /// The token that begins a sequence, `<|startoftext|>` (49406 in CLIP).
  public let bos: Int32
  /// The token that ends a sequence, `<|endoftext|>` (49407 in CLIP).
  public let eos: Int32
  /// Fills the sequence up to `maxLength`: the end token in SD 1.x, `!` (0) in SD 2.x.
  public private(set) var pad: Int32
  /// Tokens that the text encoder reads at once, begin and end token included.
  public let maxLength: Int

  private let tokens: TokenTable
  private let merges: PairMerges
  /// The token of each byte, within a word and at its end.
  private let innerSymbols: [Int32]
  private let finalSymbols: [Int32]
  /// Tokens that are matched in the raw text, as UTF-8, longest first: the special ones and those that a model has
  /// added.
  private let literals: [(text: [UInt8], id: Int32)]

  static let endOfWord = Array("</w>".utf8)

  /// CLIP's own tokenizer, for checkpoints that carry none; padded as SD 1.x is.
  public static let clip: CLIPTokenizer = {
    do {
      return try CLIPTokenizer(TokenizerTables(clipMerges: builtInMerges()))
    } catch {
      preconditionFailure("the built-in merges are broken: \(error)")
    }
  }()

  /// - Throws: `InversionError` of code `.badFile` when a special token is not in the vocabulary.
  init(_ tables: TokenizerTables) throws {
    tokens = tables.tokens
    merges = tables.merges
    maxLength = tables.settings.maxLength
    bos = try tables.specialToken(tables.settings.bos)
    eos = try tables.specialToken(tables.settings.eos)
    pad = try tables.settings.pad.map(tables.specialToken) ?? eos
    // A byte that the vocabulary lacks becomes the unknown token, which in CLIP is the end token.
    let unknown = try tables.settings.unknown.map(tables.specialToken) ?? eos
    let table = tables.tokens
    func symbols(_ suffix: [UInt8]) -> [Int32] {
      ByteAlphabet.scalars.map { table.id(of: (Array(String($0).utf8) + suffix)[...]).map(Int32.init) ?? unknown }
    }
    innerSymbols = symbols([])
    finalSymbols = symbols(Self.endOfWord)
    let matched = Set([bos, eos] + tables.added)
    literals = matched.map { (Array(table[Int($0)]), $0) }.sorted { $0.text.count > $1.text.count }
    // It would match at every place of a text, and get it no further.
    guard literals.allSatisfy({ !$0.text.isEmpty }) else {
      throw InversionError(.badFile, "'\(tables.path)': an added or special token without text; get the files again")
    }
  }

  /// The same tokenizer with another padding token, which must be one of its tokens.
  public func padded(with token: String) -> CLIPTokenizer {
    guard let id = id(ofToken: token) else { preconditionFailure("'\(token)' is not a token") }
    var copy = self
    copy.pad = id
    return copy
  }

  /// Number of tokens; ids go from 0 to one less.
  public var vocabularySize: Int { tokens.count }

  /// The ids of `text`, without begin and end token, of any length.
  public func encode(_ text: String) -> [Int32] {
    var ids: [Int32] = []
    for piece in pieces(Array(text.utf8)) {
      switch piece {
      case .literal(let id): ids.append(id)
      case .text(let bytes):
        for word in WordSplitter.words(String(decoding: bytes, as: UTF8.self)) {
          var symbols = word.map { innerSymbols[Int($0)] }
          if let last = word.last { symbols[symbols.count - 1] = finalSymbols[Int(last)] }
          ids += merges.apply(to: symbols)
        }
      }
    }
    return ids
  }

  /// The text of `ids`, without begin, end and padding tokens: words in lower case, one space behind each.
  public func decode(_ ids: [Int32]) -> String {
    var bytes: [UInt8] = []
    for id in ids where id != bos && id != eos && tokens.indices.contains(Int(id)) {
      var token = tokens[Int(id)]
      let endsWord =
        token.count > Self.endOfWord.count && token.suffix(Self.endOfWord.count).elementsEqual(Self.endOfWord)
      if endsWord { token = token.dropLast(Self.endOfWord.count) }
      bytes += String(decoding: token, as: UTF8.self).unicodeScalars.flatMap { scalar in
        ByteAlphabet.byte(of: scalar).map { [$0] } ?? Array(String(scalar).utf8)
      }
      if endsWord { bytes.append(UInt8(ascii: " ")) }
    }
    if bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The id of a token as the vocabulary writes it (`cat</w>`); nil when there is none.
  public func id(ofToken token: String) -> Int32? {
    tokens.id(of: Array(token.utf8)[...]).map(Int32.init)
  }

  /// The token of an id as the vocabulary writes it; nil when there is none.
  public func token(_ id: Int32) -> String? {
    tokens.indices.contains(Int(id)) ? String(decoding: tokens[Int(id)], as: UTF8.self) : nil
  }
}

extension CLIPTokenizer {
  private enum Piece {
    case text(ArraySlice<UInt8>)
    case literal(Int32)
  }

  /// Splits the raw text at the tokens that stand in it literally.
  private func pieces(_ text: [UInt8]) -> [Piece] {
    var pieces: [Piece] = []
    var start = 0
    var index = 0
    let firstBytes = Set(literals.compactMap(\.text.first))
    while index < text.count {
      guard firstBytes.contains(text[index]),
        let match = literals.first(where: { text[index...].starts(with: $0.text) })
      else {
        index += 1
        continue
      }
      if index > start { pieces.append(.text(text[start..<index])) }
      pieces.append(.literal(match.id))
      index += match.text.count
      start = index
    }
    if start < text.count { pieces.append(.text(text[start...])) }
    return pieces
  }
}
