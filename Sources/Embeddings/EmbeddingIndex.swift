import Formats
import Glibc

/// What the files of a folder held when they were last read, kept between runs so that a store of thousands of files
/// starts without opening them: a small file of facts, and packs with the vectors.
///
/// It is a cache. Whatever is wrong with it (damaged, of another version, half there) means that files are read again.
struct EmbeddingIndex {
  var files: [String: KnownFile] = [:]
  private(set) var packs: [VectorPack] = []

  let folder: String
  /// Begins the names of all its files: of the embeddings folder and of what fits the model, on which refusals depend.
  private let base: String

  /// - Parameters:
  ///   - cache: where the index is kept; made when it is missing.
  ///   - embeddings: the folder that it tells of.
  init(cache: String, embeddings: String, vocabulary: EmbeddingVocabulary) {
    folder = cache
    let key = "\(embeddings)\n\(vocabulary.width) \(vocabulary.room)"
    base = "embeddings-\(sha256Hex(of: Array(key.utf8)).prefix(16))"
  }

  private static let magic = Array("inversion embedding index 1\n".utf8)
  private static let checksumLength = 64
  /// A record takes some hundred bytes.
  private static let byteLimit = 256 << 20
  static let packEnding = ".vectors"
  private static let packLimit = 16

  private var path: String { "\(folder)/\(base).index" }

  /// Takes over what is on disk; nothing when that is not sound.
  mutating func load() {
    guard let bytes = try? readFile(path: path, limit: Self.byteLimit) else { return }
    let start = Self.magic.count + Self.checksumLength
    guard bytes.starts(with: Self.magic), bytes.count > start,
      bytes[Self.magic.count..<start].elementsEqual(sha256Hex(of: Array(bytes[start...])).utf8)
    else { return }
    let loaded = try? bytes[start...].withUnsafeBytes { bytes in
      var reader = IndexReader(ByteReader(bytes))
      let packs = try reader.packs { try VectorPack(folder: folder, name: $0, count: $1, checksum: $2) }
      return (packs, try reader.files(packs: packs))
    }
    guard let loaded else { return }
    (packs, files) = loaded
  }

  /// Writes packs for vectors that are in memory, and the facts of `files`; their vectors are in packs afterwards.
  /// - Throws: what writing throws; the index on disk is then the old one.
  mutating func save(_ files: inout [String: KnownFile]) throws {
    mkdir(folder, 0o700)
    // Packs of which most is no longer used are written anew, as are many small ones.
    let used = files.values.reduce(0) { $0 + ($1.embedding?.storage.count ?? 0) }
    let isWasteful = packs.count >= Self.packLimit || packs.reduce(0) { $0 + $1.count } > 2 * used
    var moved: [(path: String, start: Int)] = []
    if isWasteful { packs = [] }
    if let pack = try writePack(files, moved: &moved) {
      packs.append(pack)
      for (path, start) in moved {
        guard let embedding = files[path]?.embedding else { continue }
        let storage = VectorStorage.packed(pack, start: start, count: embedding.storage.count)
        files[path]?.embedding = embedding.with(storage: storage)
      }
    }
    var writer = IndexWriter()
    writer.append(packs)
    writer.append(files, packs: packs)
    let bytes = writer.bytes
    try AtomicFile.write(path: path) { output in
      try output.write(Self.magic + Array(sha256Hex(of: bytes).utf8))
      try output.write(bytes)
    }
    removeOldPacks()
  }

  /// One file with the vectors that are in none of the packs; nil when all are.
  private func writePack(
    _ files: [String: KnownFile], moved: inout [(path: String, start: Int)]
  ) throws -> VectorPack? {
    let name = "\(base)-\(String(UInt64.random(in: .min ... .max), radix: 36))\(Self.packEnding)"
    var (count, checksum) = (0, VectorPack.checksum(of: UnsafeRawBufferPointer(start: nil, count: 0)))
    let kept = Set(packs.map(\.name))
    let chosen = files.filter { file in
      switch file.value.embedding?.storage {
      case nil: false
      case .memory: true
      case .packed(let pack, _, _): !kept.contains(pack.name)
      }
    }
    guard !chosen.isEmpty else { return nil }
    try AtomicFile.write(path: "\(folder)/\(name)") { output in
      for (path, file) in chosen {
        guard let vectors = file.embedding?.vectors else { continue }
        try vectors.withUnsafeBytes { bytes in
          try output.write(bytes)
          checksum = VectorPack.checksum(checksum, of: bytes)
        }
        moved.append((path, count))
        count += vectors.count
      }
    }
    return try VectorPack(folder: folder, name: name, count: count, checksum: checksum)
  }

  private func removeOldPacks() {
    let kept = Set(packs.map(\.name))
    for name in EmbeddingFolder.names(in: folder) ?? []
    where name.hasPrefix("\(base)-") && name.hasSuffix(Self.packEnding) && !kept.contains(name) {
      unlink("\(folder)/\(name)")
    }
  }
}
