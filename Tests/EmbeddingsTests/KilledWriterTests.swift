import Embeddings
import Errors
import Foundation
import Testing

/// Writers that are killed in the middle: what was in force stays, and no half of a file is ever read as an embedding.
@Suite(.timeLimit(.minutes(15))) struct KilledWriterTests {
  private static let rounds = 20
  private let folder: TemporaryFolder
  private let aside: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    aside = try TemporaryFolder()
  }

  /// `dd` truncates the file and writes it byte by byte; killed as soon as the file has some of them and not all.
  private func writePart(of source: String, to target: String, bytes: Int, size: Int) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/dd")
    process.arguments = ["if=\(source)", "of=\(target)", "bs=1", "status=none"]
    try process.run()
    while process.isRunning {
      var status = stat()
      if stat(target, &status) == 0 && (bytes..<size).contains(status.st_size) { break }
      sched_yield()
    }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  @Test func halfWrittenFilesAreNeverInForce() async throws {
    let width = 4096
    var known: Set<String> = []
    for value in 1...2 {
      let path = "\(aside.path)/\(value).safetensors"
      try write(Float(value), name: "<a>", width: width, to: path)
      known.insert(try EmbeddingFile.read(path).sha256)
    }
    let size = try Data(contentsOf: URL(filePath: aside.path + "/1.safetensors")).count
    let target = folder.path + "/a.safetensors"
    try FileManager.default.copyItem(atPath: aside.path + "/1.safetensors", toPath: target)
    let watched = try WatchedStore(folder: folder.path, width: width)
    let original = try #require(watched.store.table["<a>"])
    var random = SystemRandomNumberGenerator()
    for round in 0..<Self.rounds {
      let limit = Int.random(in: 1..<size / 2, using: &random)
      try writePart(of: aside.path + "/2.safetensors", to: target, bytes: limit, size: size)
      // The writer's end is an event; another file's arrival comes behind it.
      try write(1, name: "<marker\(round)>", width: width, to: "\(folder.path)/marker\(round).safetensors")
      let table = await watched.table { $0["<marker\(round)>"] != nil }
      let embedding = try #require(table["<a>"], "what was there stays in force")
      #expect(known.contains(embedding.sha256))
      #expect(embedding.vectors.allSatisfy { $0 == embedding.vectors[0] })
      if embedding.sha256 == original.sha256 {
        #expect(table.rejected.contains { $0.path == "a.safetensors" && $0.reason.hasSuffix("stay in force") })
      }
    }
    try FileManager.default.removeItem(atPath: target)
    try FileManager.default.copyItem(atPath: aside.path + "/2.safetensors", toPath: target)
    _ = await watched.table { $0["<a>"]?.vectors.first == 2 && $0.rejected.isEmpty }
  }
}
