import Formats

/// The bytes of an index: numbers little-endian, texts and lists behind their counts.
struct IndexWriter {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ packs: [VectorPack]) {
    append(packs.count)
    for pack in packs {
      append(pack.name)
      append(pack.count)
      append(Int(pack.checksum))
    }
  }

  /// Files whose content may have changed unseen are left out, and read again by who loads the index.
  mutating func append(_ files: [String: KnownFile], packs: [VectorPack]) {
    let places = Dictionary(uniqueKeysWithValues: packs.enumerated().map { ($1.name, $0) })
    let known = files.filter { $0.value.stamp != nil && ($0.value.embedding == nil || $0.value.refusal == nil) }
    append(known.count)
    for (path, file) in known {
      guard let stamp = file.stamp else { continue }
      append(path)
      for field in [stamp.size, Int64(bitPattern: stamp.inode), Int64(bitPattern: stamp.device)] { append(Int(field)) }
      for field in [stamp.modified, stamp.changed] { append(Int(field)) }
      append(file.refusal)
      append(file.embedding == nil ? 0 : 1)
      if let embedding = file.embedding { append(embedding, places) }
    }
  }

  private mutating func append(_ embedding: LearnedEmbedding, _ places: [String: Int]) {
    guard case .packed(let pack, let start, let count) = embedding.storage, let place = places[pack.name] else {
      preconditionFailure("the index was written before its packs")
    }
    append(embedding.name)
    append(embedding.otherName)
    for number in [place, start, count, embedding.width, embedding.layers] { append(number) }
    append(Int(bitPattern: UInt(embedding.meanNorm.bitPattern)))
    append(embedding.sha256)
    append(embedding.metadata.count)
    for (key, value) in embedding.metadata {
      append(key)
      append(value)
    }
    append(embedding.origin?.container.rawValue)
    append(embedding.origin?.layout.rawValue)
    append(embedding.notes.count)
    for note in embedding.notes { append(note) }
  }

  private mutating func append(_ number: Int) {
    withUnsafeBytes(of: Int64(number).littleEndian) { bytes += Array($0) }
  }

  private mutating func append(_ text: String) {
    append(text.utf8.count)
    bytes += Array(text.utf8)
  }

  private mutating func append(_ text: String?) {
    append(text == nil ? 0 : 1)
    if let text { append(text) }
  }
}

/// Reads what `IndexWriter` writes; anything else is a `FormatFault`.
struct IndexReader {
  private var reader: ByteReader

  init(_ reader: ByteReader) { self.reader = reader }

  mutating func packs(_ open: (String, Int, UInt32) throws -> VectorPack) throws -> [VectorPack] {
    try list { reader in
      let (name, count) = (try reader.text(), try reader.number())
      guard let checksum = UInt32(exactly: try reader.number()), name.hasSuffix(EmbeddingIndex.packEnding),
        !name.contains("/")
      else { throw FormatFault("bad pack") }
      return try open(name, count, checksum)
    }
  }

  mutating func files(packs: [VectorPack]) throws -> [String: KnownFile] {
    let entries = try list { reader in
      let path = try reader.text()
      let stamp = FileStamp(
        size: Int64(try reader.number()), inode: UInt64(bitPattern: Int64(try reader.number())),
        device: UInt64(bitPattern: Int64(try reader.number())), modified: Int64(try reader.number()),
        changed: Int64(try reader.number()))
      let refusal = try reader.optionalText()
      let embedding = try reader.flag() ? try reader.embedding(packs) : nil
      return (path, KnownFile(embedding: embedding, refusal: refusal, stamp: stamp))
    }
    guard reader.remaining == 0 else { throw FormatFault("bytes after the last file") }
    return Dictionary(entries, uniquingKeysWith: { first, _ in first })
  }

  private mutating func embedding(_ packs: [VectorPack]) throws -> LearnedEmbedding {
    let (name, other) = (try text(), try optionalText())
    let (place, start, count) = (try number(), try number(), try number())
    let (width, layers) = (try number(), try number())
    guard packs.indices.contains(place), start >= 0, count > 0, start <= packs[place].count - count, width > 0,
      layers > 0, width <= count, layers <= count, count % (width * layers) == 0
    else { throw FormatFault("vectors out of bounds") }
    let meanNorm = Double(bitPattern: UInt64(bitPattern: Int64(try number())))
    let sha256 = try text()
    let metadata = try list { reader in (try reader.text(), try reader.text()) }
    let container = try optionalText().flatMap(EmbeddingContainer.init(rawValue:))
    let layout = try optionalText().flatMap(EmbeddingLayout.init(rawValue:))
    let notes = try list { try $0.text() }
    return LearnedEmbedding(
      name: name, otherName: other, storage: .packed(packs[place], start: start, count: count), width: width,
      layers: layers, meanNorm: meanNorm, sha256: sha256,
      metadata: Dictionary(metadata, uniquingKeysWith: { first, _ in first }),
      origin: container.flatMap { container in layout.map { EmbeddingOrigin(container, $0) } }, notes: notes,
      generation: 0)
  }

  private mutating func list<Element>(_ element: (inout IndexReader) throws -> Element) throws -> [Element] {
    let count = try number()
    guard count >= 0, count <= reader.remaining else { throw FormatFault("a list of \(count) elements") }
    return try (0..<count).map { _ in try element(&self) }
  }

  private mutating func number() throws -> Int { Int(try reader.integer(Int64.self)) }

  private mutating func flag() throws -> Bool { try number() != 0 }

  private mutating func text() throws -> String { try reader.text(try number()) }

  private mutating func optionalText() throws -> String? { try flag() ? try text() : nil }
}
