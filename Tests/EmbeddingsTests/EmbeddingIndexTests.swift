import Embeddings
import Errors
import Foundation
import Testing

/// A store that keeps what it has read: 300 files are enough to be worth an index.
@Suite(.timeLimit(.minutes(15))) struct EmbeddingIndexTests {
  private let folder: TemporaryFolder
  private let cache: TemporaryFolder
  private static let width = 2
  private static let count = 300
  /// The file of an embedding '<w000>' with the vector [0, 0], to be patched: writing it anew takes a sync of the disk.
  private let template: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    cache = try TemporaryFolder()
    let other = try TemporaryFolder()
    try write(0, name: "<w000>", to: other.path + "/x.safetensors")
    template = try [UInt8](Data(contentsOf: URL(filePath: other.path + "/x.safetensors")))
  }

  private func vectors(_ value: Int) -> [Float] { [Float(value), 1] }

  private func content(_ number: Int, value: Int) -> Data {
    var bytes = template
    let name = Array(String(1000 + number).utf8.dropFirst())
    for start in bytes.indices where bytes[start...].starts(with: Array("w000".utf8)) {
      bytes.replaceSubrange(start + 1..<start + 4, with: name)
    }
    for (i, value) in vectors(value).enumerated() {
      withUnsafeBytes(of: value.bitPattern.littleEndian) { bits in
        bytes.replaceSubrange(bytes.count - 8 + 4 * i..<bytes.count - 4 + 4 * i, with: bits)
      }
    }
    return Data(bytes)
  }

  private func fill(_ names: Range<Int>, value: (Int) -> Int = { $0 }) throws {
    for i in names { try content(i, value: value(i)).write(to: URL(filePath: file(i))) }
  }

  private func file(_ number: Int) -> String { "\(folder.path)/w\(name(number)).safetensors" }

  private func name(_ number: Int) -> String { String(String(1000 + number).dropFirst()) }

  /// A tick of 0: the files of a test are all young.
  private func store() throws -> EmbeddingStore {
    try EmbeddingStore(
      folder: folder.path, vocabulary: EmbeddingVocabulary(width: Self.width), cache: cache.path, tick: 0)
  }

  private func index() throws -> String {
    let names = try FileManager.default.contentsOfDirectory(atPath: cache.path).filter { $0.hasSuffix(".index") }
    return "\(cache.path)/\(try #require(names.first))"
  }

  @Test func vectorsComeFromThePackAndAreTheSame() throws {
    try fill(0..<Self.count)
    let first = try store().table
    #expect(try FileManager.default.contentsOfDirectory(atPath: cache.path).contains { $0.hasSuffix(".vectors") })
    for i in 0..<Self.count { #expect(first["w\(name(i))"]?.vectors == vectors(i)) }
    let again = try store()
    #expect(again.filesRead == 0, "the index tells")
    let second = again.table
    #expect(second.embeddings == first.embeddings && second.files == first.files && second.aliases == first.aliases)
    for i in 0..<Self.count { #expect(second["w\(name(i))"]?.vectors == vectors(i)) }
  }

  @Test func whatChangedBetweenTwoRunsIsSeen() throws {
    try fill(0..<Self.count)
    _ = try store()
    try fill(3..<4) { _ in 999 }
    unlink(folder.path + "/w004.safetensors")
    try fill(Self.count..<Self.count + 1)
    try "garbage".write(toFile: folder.path + "/w005.safetensors", atomically: false, encoding: .utf8)
    let again = try store()
    #expect(again.filesRead == 3)
    let table = again.table
    #expect(table["w003"]?.vectors == vectors(999) && table["w004"] == nil && table["w300"]?.vectors == vectors(300))
    #expect(table["w005"] == nil && table.rejected.map(\.path) == ["w005.safetensors"])
    #expect(table["w006"]?.vectors == vectors(6) && table.embeddings.count == Self.count - 1)
  }

  @Test func anInPlaceWriteOfEqualSizeIsSeen() throws {
    try fill(0..<Self.count)
    _ = try store()
    let path = folder.path + "/w007.safetensors"
    let modified = try #require(FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.write(contentsOf: content(7, value: 500))
    try handle.close()
    try FileManager.default.setAttributes([.modificationDate: modified], ofItemAtPath: path)
    #expect(try store().table["w007"]?.vectors == vectors(500), "size, inode and time of the content are as before")
  }

  @Test func youngFilesAreReadAgain() throws {
    try fill(0..<Self.count)
    func store() throws -> EmbeddingStore {
      try EmbeddingStore(
        folder: folder.path, vocabulary: EmbeddingVocabulary(width: Self.width), cache: cache.path)
    }
    _ = try store()
    #expect(try store().filesRead > 0)
  }

  /// Previews hold nothing, and are not decoded at each start to find that out.
  @Test func filesWithoutAnEmbeddingAreRemembered() throws {
    try fill(0..<Self.count)
    let preview = ReaderSample.path("cards/plain.png")
    for i in 0..<20 { try FileManager.default.copyItem(atPath: preview, toPath: "\(folder.path)/p\(i).png") }
    try "garbage".write(toFile: folder.path + "/bad.safetensors", atomically: false, encoding: .utf8)
    let first = try store().table
    let again = try store()
    #expect(again.filesRead == 0 && again.table.rejected == first.rejected && first.rejected.count == 1)
  }

  @Test func aDamagedIndexIsOfNoConsequence() throws {
    try fill(0..<Self.count)
    let expected = try store().table
    let path = try index()
    let whole = try Data(contentsOf: URL(filePath: path))
    for (offset, byte) in [(0, UInt8(0)), (40, 1), (whole.count / 2, 2), (whole.count - 1, 3)] {
      var damaged = whole
      damaged[offset] ^= byte | 0x80
      try damaged.write(to: URL(filePath: path))
      #expect(try store().table.embeddings == expected.embeddings)
    }
    try whole.prefix(whole.count / 2).write(to: URL(filePath: path))
    #expect(try store().table.embeddings == expected.embeddings)
    // A pack of other content, and none.
    let name = try FileManager.default.contentsOfDirectory(atPath: cache.path).first { $0.hasSuffix(".vectors") }
    let pack = "\(cache.path)/\(try #require(name))"
    let handle = try #require(FileHandle(forWritingAtPath: pack))
    try handle.write(contentsOf: Data([1, 2, 3, 4]))
    try handle.close()
    #expect(try store().table["w001"]?.vectors == vectors(1))
    for name in try FileManager.default.contentsOfDirectory(atPath: cache.path) where name.hasSuffix(".vectors") {
      unlink("\(cache.path)/\(name)")
    }
    #expect(try store().table["w001"]?.vectors == vectors(1))
  }

  @Test func aCacheThatCannotBeWrittenIsOfNoConsequence() throws {
    try fill(0..<Self.count)
    let file = cache.path + "/file"
    _ = FileManager.default.createFile(atPath: file, contents: nil)
    let store = try EmbeddingStore(
      folder: folder.path, vocabulary: EmbeddingVocabulary(width: Self.width), cache: file + "/below", tick: 0)
    #expect(store.table.embeddings.count == Self.count && store.table["w001"]?.vectors == vectors(1))
  }

  @Test func swapsWorkOnTopOfAnIndex() async throws {
    try fill(0..<Self.count)
    _ = try store()
    let store = try store()
    #expect(store.filesRead == 0)
    let before = store.table
    try fill(1..<2) { _ in 700 }
    store.rescan()
    #expect(store.table["w001"]?.vectors == vectors(700) && before["w001"]?.vectors == vectors(1))
    #expect(store.table["w002"]?.generation == before["w002"]?.generation)
    #expect(store.table["w001"]?.generation == store.table.generation)
  }
}
