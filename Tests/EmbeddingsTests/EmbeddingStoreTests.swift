import Embeddings
import Errors
import Foundation
import Testing

@Suite struct EmbeddingStoreTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  private func store(width: Int = 2) throws -> EmbeddingStore { try EmbeddingStore(folder: path, width: width) }

  @Test func readsFilesInSubfoldersAndIgnoresTheRest() throws {
    try FileManager.default.createDirectory(atPath: path + "/sub/.hidden", withIntermediateDirectories: true)
    try write(1, name: "<a>", to: path + "/a.safetensors")
    try write(2, name: "<b>", to: path + "/sub/b.SafeTensors")
    try write(3, name: "<c>", to: path + "/sub/.hidden/c.safetensors")
    try write(4, name: "<d>", to: path + "/.d.safetensors")
    for name in ["e.safetensors.part", "f.safetensors~", "g.txt", "h.pt.optim"] {
      try write(5, name: "<e>", to: "\(path)/\(name)")
    }
    let table = try store().table
    #expect(table.embeddings.keys.sorted() == ["<a>", "<b>"])
    #expect(table.files == ["<a>": "a.safetensors", "<b>": "sub/b.SafeTensors"])
    #expect(table["a"]?.vectors == [1, 1] && table["b"]?.vectors == [2, 2])
    #expect(table.rejected.isEmpty)
  }

  @Test func everyKindOfFileIsTakenAndPreviewsAreLeftOut() throws {
    let a1111 = LearnedEmbedding(name: "inner", vectors: [1, 2], width: 2, sha256: "")
    try EmbeddingFile.write(a1111, to: path + "/a.pt", as: .a1111)
    try EmbeddingFile.write(a1111.renamed("<c>"), to: path + "/c.png", as: .card)
    for name in ["b.png", "a.preview.png"] {
      try FileManager.default.copyItem(atPath: ReaderSample.path("cards/plain.png"), toPath: "\(path)/\(name)")
    }
    try FileManager.default.copyItem(
      atPath: ReaderSample.path("xti_16_layers.safetensors"), toPath: path + "/x.safetensors")
    let table = try store().table
    #expect(table.files == ["a": "a.pt", "<c>": "c.png"])
    #expect(table["a"]?.vectors == [1, 2] && table["inner"]?.name == "a" && table["c"]?.vectors == [1, 2])
    #expect(table.rejected.map(\.path) == ["x.safetensors"])
    let layers = try EmbeddingStore(folder: path, width: 768).table
    #expect(layers.rejected.contains { $0.path == "x.safetensors" && $0.reason.hasPrefix("per-layer (XTI)") })
  }

  @Test func addKeepsTheKindOfTheContent() throws {
    let store = try store()
    let other = try TemporaryFolder()
    try EmbeddingFile.write(
      LearnedEmbedding(name: "cat", vectors: [1, 2], width: 2, sha256: ""), to: other.path + "/x.pt", as: .a1111)
    _ = try store.add(content(3, name: "cat"), as: "cat")
    _ = try store.add([UInt8](Data(contentsOf: URL(filePath: other.path + "/x.pt"))), as: "cat")
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["cat.pt"])
    #expect(store.table["cat"]?.vectors == [1, 2] && store.table.rejected.isEmpty)
  }

  @Test(arguments: [(768, "SD 1.x"), (1024, "SD 2.x"), (1280, "SDXL"), (100, "another model")])
  func wrongWidthSaysWhatTheFileIsFor(width: Int, family: String) throws {
    try write(0.01, name: "<a>", width: width, to: path + "/a.safetensors")
    let rejected = try store(width: 2).table.rejected
    let reason = try #require(rejected.first?.reason)
    #expect(reason.hasPrefix("\(width) wide: made for \(family)"))
    #expect(reason.hasSuffix("this model needs 2"))
  }

  @Test func badFileKeepsTheOldVectorsInForce() throws {
    try write(1, name: "<a>", to: path + "/a.safetensors")
    let store = try store()
    let before = store.table
    try "garbage".write(toFile: path + "/a.safetensors", atomically: true, encoding: .utf8)
    let during = store.rescan()
    #expect(during.embeddings == before.embeddings)
    #expect(during.generation == before.generation + 1)
    #expect(during.rejected.first?.path == "a.safetensors")
    #expect(during.rejected.first?.reason.hasSuffix("the vectors it had before stay in force") == true)
    try write(2, name: "<a>", to: path + "/a.safetensors")
    let after = store.rescan()
    #expect(after["<a>"]?.vectors == [2, 2] && after.rejected.isEmpty)
    #expect(after["<a>"]?.generation == after.generation)
    #expect(before["<a>"]?.vectors == [1, 1], "a snapshot does not change")
  }

  @Test func generationCountsChangesOfContentOnly() throws {
    try write(1, name: "<a>", to: path + "/a.safetensors")
    try write(1, name: "<b>", to: path + "/b.safetensors")
    let store = try store()
    let first = store.table
    try write(1, name: "<a>", to: path + "/a.safetensors")
    #expect(store.rescan() == first, "the same bytes again are no change")
    try write(2, name: "<b>", to: path + "/b.safetensors")
    let second = store.rescan()
    #expect(second.generation == first.generation + 1)
    #expect(second["<a>"]?.generation == first.generation)
    #expect(second["<b>"]?.generation == second.generation)
  }

  @Test func nameCollisionsAreDecidedByPathAndReported() throws {
    try FileManager.default.createDirectory(atPath: path + "/0", withIntermediateDirectories: true)
    try write(1, name: "<a>", to: path + "/z.safetensors")
    try write(2, name: "<a>", to: path + "/0/a.safetensors")
    try write(3, name: "a2", to: path + "/b.safetensors")
    try write(4, name: "x", to: path + "/a2.safetensors")
    let table = try store().table
    #expect(table["<a>"]?.vectors == [1, 1], "the file less deep wins")
    #expect(table["a"]?.vectors == [1, 1], "and no other file takes its name without brackets")
    #expect(table["a2"]?.vectors == [3, 3], "a name of its own wins over a stem")
    #expect(
      table.rejected == [
        RejectedFile(
          path: "a2.safetensors", reason: "in force as 'x', but 'a2' is already a name of 'b.safetensors'"),
        RejectedFile(
          path: "0/a.safetensors",
          reason: "its name '<a>' is that of 'z.safetensors' already, and 'a' one of 'z.safetensors'; "
            + "give the file another name"),
      ])
  }

  /// Trainers leave the states on their way, all under one token.
  @Test func filesOfOneNameAreCalledByTheirFiles() throws {
    for steps in [500, 1000] { try write(Float(steps), name: "<a>", to: path + "/word-\(steps).safetensors") }
    try write(1, name: "<a>", to: path + "/word.safetensors")
    try write(2, name: "<a>", to: path + "/word-500 .safetensors")
    let store = try store()
    let table = store.table
    #expect(table["<a>"]?.vectors == [1, 1] && table["word"]?.vectors == [1, 1], "the last state sorts first")
    #expect(table["word-500"]?.vectors == [500, 500] && table["word-1000"]?.vectors == [1000, 1000])
    let note = "its name '<a>' is that of 'word.safetensors' already: this one is called 'word-500', as its file"
    #expect(table["word-500"]?.notes == [note] && table["<a>"]?.notes == [])
    let reason = "its name '<a>' is that of 'word.safetensors' already; give the file a name that prompts can call"
    #expect(table.rejected == [RejectedFile(path: "word-500 .safetensors", reason: reason)])

    let replaced = try store.add(content(7, name: "<a>"), as: "word-500")
    #expect(replaced.name == "word-500" && replaced.vectors == [7, 7] && store.table["word-500"] == replaced)
    #expect(throws: InversionError.self) { try store.add(content(7, name: "<a>"), as: "another") }
    try store.remove("word")
    #expect(store.table["<a>"]?.vectors == [1000, 1000] && store.table["<a>"]?.notes == [])
    #expect(store.table["word-1000"]?.name == "<a>", "the next one in order has its own name again")
  }

  @Test func addWritesTheVeryBytesAndReplaces() throws {
    let store = try store()
    let bytes = try content(1, name: "<cat>")
    let added = try store.add(bytes, as: "<cat>")
    #expect(added.generation == store.table.generation && store.table["cat"] == added)
    #expect(try [UInt8](Data(contentsOf: URL(filePath: path + "/cat.safetensors"))) == bytes)
    _ = try store.add(content(2, name: "<cat>"), as: "cat")
    #expect(store.table["<cat>"]?.vectors == [2, 2])
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["cat.safetensors"])
  }

  @Test func addRefusesWhatWouldNotComeIntoForceAndChangesNothing() throws {
    let store = try store()
    _ = try store.add(content(1, name: "<cat>"), as: "cat")
    let before = store.table
    let refused: [(bytes: [UInt8], name: String, code: InversionError.Code)] = try [
      (content(2, name: "<cat>"), "dog", .badEmbedding), (content(2, name: "<cat>", width: 3), "cat", .badEmbedding),
      (Array("garbage".utf8), "cat", .badFile), ([], "cat", .badFile),
      (content(2, name: "x"), "../x", .invalidArgument),
      (content(2, name: "x"), ".x", .invalidArgument), (content(2, name: "x"), "", .invalidArgument),
    ]
    for (bytes, name, code) in refused {
      let error = #expect(throws: InversionError.self) { try store.add(bytes, as: name) }
      #expect(error?.code == code, "\(name): \(error?.message ?? "")")
    }
    #expect(store.rescan() == before)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["cat.safetensors"])
  }

  @Test func removeTakesNameStemAndRejectedFiles() throws {
    let store = try store()
    _ = try store.add(content(1, name: "<cat>"), as: "tabby")
    try "garbage".write(toFile: path + "/bad.safetensors", atomically: true, encoding: .utf8)
    store.rescan()
    try store.remove("tabby")
    try store.remove("bad")
    #expect(store.table.embeddings.isEmpty && store.table.rejected.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
    let error = #expect(throws: InversionError.self) { try store.remove("tabby") }
    #expect(error?.code == .notFound)
  }

  @Test func missingFolderIsAnError() {
    let error = #expect(throws: InversionError.self) { try EmbeddingStore(folder: path + "/no", width: 2) }
    #expect(error?.code == .fileUnavailable)
  }

  private func content(_ value: Float, name: String, width: Int = 2) throws -> [UInt8] {
    let other = try TemporaryFolder()
    try write(value, name: name, width: width, to: other.path + "/x.safetensors")
    return try [UInt8](Data(contentsOf: URL(filePath: other.path + "/x.safetensors")))
  }
}
