import Embeddings
import Foundation
import Testing

/// Every way in which files come and go must be seen without a rescan.
@Suite(.timeLimit(.minutes(15))) struct EmbeddingWatchTests {
  private let folder: TemporaryFolder
  private let aside: TemporaryFolder
  private var path: String { folder.path }

  init() throws {
    folder = try TemporaryFolder()
    aside = try TemporaryFolder()
  }

  /// A file outside the folder, on the same file system.
  private func prepared(_ value: Float, name: String = "<a>") throws -> String {
    let file = "\(aside.path)/\(UUID().uuidString).safetensors"
    try write(value, name: name, to: file)
    return file
  }

  private func bytes(_ value: Float) throws -> Data { try Data(contentsOf: URL(filePath: prepared(value))) }

  @Test func renameReplaceDelete() async throws {
    let watched = try WatchedStore(folder: path)
    rename(try prepared(1), path + "/a.safetensors")
    _ = await watched.table { $0["a"]?.vectors == [1, 1] }
    rename(try prepared(2), path + "/a.safetensors")
    _ = await watched.table { $0["a"]?.vectors == [2, 2] }
    rename(path + "/a.safetensors", path + "/b.safetensors")
    _ = await watched.table { $0["a"] != nil && $0["b"] != nil && $0.files["<a>"] == "b.safetensors" }
    unlink(path + "/b.safetensors")
    _ = await watched.table { $0.embeddings.isEmpty }
  }

  @Test func writeInPlaceIsSeenWhenTheWriterIsDone() async throws {
    let watched = try WatchedStore(folder: path)
    let file = path + "/a.safetensors"
    _ = FileManager.default.createFile(atPath: file, contents: nil)
    _ = await watched.table { !$0.rejected.isEmpty }
    let handle = try #require(FileHandle(forWritingAtPath: file))
    let content = try bytes(3)
    try handle.write(contentsOf: content.prefix(20))
    try handle.write(contentsOf: content.dropFirst(20))
    try handle.close()
    let table = await watched.table { $0["a"]?.vectors == [3, 3] }
    #expect(table.rejected.isEmpty)
  }

  @Test func linksAreSeen() async throws {
    let watched = try WatchedStore(folder: path)
    link(try prepared(1, name: "<hard>"), path + "/hard.safetensors")
    _ = await watched.table { $0["hard"] != nil }
    mkdir(path + "/.files", 0o700)
    rename(try prepared(1, name: "<soft>"), path + "/.files/1")
    symlink(".files/1", path + "/soft.safetensors")
    _ = await watched.table { $0["soft"] != nil }
  }

  @Test func linksThatLeaveTheFolderAreListedAndNotFollowed() async throws {
    let watched = try WatchedStore(folder: path)
    symlink(try prepared(1), path + "/a.safetensors")
    mkdir(aside.path + "/more", 0o700)
    try write(2, name: "<b>", to: aside.path + "/more/b.safetensors")
    symlink(aside.path + "/more", path + "/more")
    let table = await watched.table { $0.rejected.count == 2 }
    #expect(table.embeddings.isEmpty && table.rejected.map(\.path) == ["a.safetensors", "more"])
    #expect(table.rejected.allSatisfy { $0.reason.hasPrefix("a link out of the embeddings folder") })
    unlink(path + "/more")
    unlink(path + "/a.safetensors")
    _ = await watched.table { $0.rejected.isEmpty }
  }

  @Test func subfoldersAreFollowed() async throws {
    let watched = try WatchedStore(folder: path)
    mkdir(path + "/sub", 0o700)
    mkdir(path + "/sub/deep", 0o700)
    rename(try prepared(1), path + "/sub/deep/a.safetensors")
    _ = await watched.table { $0["a"]?.vectors == [1, 1] }
    rename(try prepared(2), path + "/sub/deep/a.safetensors")
    _ = await watched.table { $0["a"]?.vectors == [2, 2] }
    rename(path + "/sub", aside.path + "/sub")
    _ = await watched.table { $0.embeddings.isEmpty }
    rename(aside.path + "/sub", path + "/back")
    _ = await watched.table { $0.files["<a>"] == "back/deep/a.safetensors" }
  }

  @Test func wholeFolderSwapped() async throws {
    let inner = path + "/embeddings"
    mkdir(inner, 0o700)
    mkdir(path + "/next", 0o700)
    try write(1, name: "<a>", to: inner + "/a.safetensors")
    try write(2, name: "<a>", to: path + "/next/a.safetensors")
    let watched = try WatchedStore(folder: inner)
    rename(inner, path + "/old")
    let between = await watched.table { !$0.rejected.isEmpty }
    #expect(between["a"]?.vectors == [1, 1], "what a missing folder held stays in force")
    rename(path + "/next", inner)
    _ = await watched.table { $0["a"]?.vectors == [2, 2] && $0.rejected.isEmpty }
    // The new folder is watched, the old one no longer.
    rename(try prepared(3), inner + "/a.safetensors")
    _ = await watched.table { $0["a"]?.vectors == [3, 3] }
  }

  @Test func folderBehindALinkSwapped() async throws {
    for (i, name) in ["one", "two"].enumerated() {
      mkdir("\(path)/\(name)", 0o700)
      try write(Float(i + 1), name: "<a>", to: "\(path)/\(name)/a.safetensors")
    }
    symlink("one", path + "/current")
    let watched = try WatchedStore(folder: path + "/current")
    #expect(watched.store.table["a"]?.vectors == [1, 1])
    symlink("two", path + "/new")
    rename(path + "/new", path + "/current")
    _ = await watched.table { $0["a"]?.vectors == [2, 2] }
  }

  @Test func manySwapsEndInTheLast() async throws {
    let watched = try WatchedStore(folder: path)
    for i in 1...200 { rename(try prepared(Float(i)), path + "/a.safetensors") }
    let table = await watched.table { $0["a"]?.vectors == [200, 200] }
    #expect(table.generation <= 201)
  }

  /// The time is printed, not asserted: another process may hold the machine.
  @Test func timeFromRenameToUsable() async throws {
    let watched = try WatchedStore(folder: path)
    var times: [Duration] = []
    for i in 1...100 {
      let file = try prepared(Float(i))
      let start = ContinuousClock.now
      rename(file, path + "/a.safetensors")
      _ = await watched.table { $0["a"]?.vectors == [Float(i), Float(i)] }
      times.append(ContinuousClock.now - start)
    }
    times.sort()
    print("embedding file, rename to usable: median \(times[50]), slowest of 100 \(times[99])")
  }
}
