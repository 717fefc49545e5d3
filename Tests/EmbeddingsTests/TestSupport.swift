import Embeddings
import Foundation
import Synchronization

/// An empty folder that is deleted with the object.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "inversion-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    // Without links, so that the path is the one that the kernel reports.
    path = url.resolvingSymlinksInPath().path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Writes an embedding of one vector in one go, without a rename.
func write(_ value: Float, name: String, width: Int = 2, to path: String) throws {
  let vectors = [Float](repeating: value, count: width)
  try EmbeddingFile.write(LearnedEmbedding(name: name, vectors: vectors, width: width, sha256: ""), to: path)
}

/// A store that is watched, and the tables that it announced.
final class WatchedStore: Sendable {
  let store: EmbeddingStore
  private let tables: AsyncStream<EmbeddingTable>

  init(folder: String, width: Int = 2) throws {
    store = try EmbeddingStore(folder: folder, width: width)
    let (stream, continuation) = AsyncStream<EmbeddingTable>.makeStream()
    tables = stream
    try store.watch { continuation.yield($0) }
  }

  /// The first table, from now or announced, for which the condition holds. Hangs, and is stopped by the test's time
  /// limit, when there is none.
  func table(where condition: (EmbeddingTable) -> Bool) async -> EmbeddingTable {
    if condition(store.table) { return store.table }
    for await table in tables where condition(table) { return table }
    return store.table
  }
}
