import DaemonTestSupport
import Embeddings
import Foundation
import Testing

/// `inversion embeddings inspect`, `verify` and `convert`: no daemon is needed.
@Suite(.timeLimit(.minutes(15))) struct EmbeddingFileCommandTests {
  private let folder: TemporaryFolder
  private static let model = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "models/emoji-64").path
  private let vectors: [Float] = [0.1, -2.5, 3e-8, 4]

  init() throws {
    folder = try TemporaryFolder()
    try EmbeddingFile.write(
      LearnedEmbedding(name: "<my-cat>", vectors: vectors, width: 2, sha256: ""), to: folder.path + "/cat.safetensors")
  }

  private func run(_ arguments: String...) async throws -> Program.Ended {
    try await Program.run("inversion", ["embeddings"] + arguments)
  }

  @Test func convertsAndKeepsEveryBit() async throws {
    for (name, kind) in [("a.pt", "AUTOMATIC1111, torch"), ("b.png", "AUTOMATIC1111 card, PNG")] {
      let path = "\(folder.path)/\(name)"
      let ended = try await run("convert", folder.path + "/cat.safetensors", path)
      #expect(ended.status == 0 && ended.output.contains("kind        \(kind)"), "\(ended.errors)\(ended.output)")
      #expect(try EmbeddingFile.read(path).vectors == vectors)
    }
    let kohya = folder.path + "/k.safetensors"
    let ended = try await run("convert", folder.path + "/a.pt", kohya, "--to", "kohya", "--name", "other")
    #expect(ended.status == 0 && ended.output.contains("kind        kohya, safetensors"))
    let unfit = try await run("convert", folder.path + "/a.pt", folder.path + "/x.png", "--to", "kohya")
    #expect(unfit.status == 64 && unfit.errors.contains("'kohya' makes .safetensors files"))
    #expect(try await run("convert", folder.path + "/a.pt", folder.path + "/x.txt").status == 64)
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/x.png"))
  }

  @Test func inspectsAsTableAndAsJSON() async throws {
    let table = try await run("inspect", folder.path + "/cat.safetensors")
    #expect(table.status == 0 && table.output.hasPrefix("name        <my-cat>\n"))
    #expect(table.output.contains("vectors     2 of 2\n") && table.output.contains("norms       2.502 to 4.0"))
    let json = try await run("inspect", folder.path + "/cat.safetensors", "--format", "json")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    #expect(object["kind"] as? String == "diffusers" && object["vectors"] as? Int == 2)
  }

  @Test func verifiesAgainstAModel() async throws {
    let sound = try await run("verify", folder.path + "/cat.safetensors")
    #expect(sound.status == 0)
    let unfit = try await run("verify", folder.path + "/cat.safetensors", "--model", Self.model)
    #expect(unfit.status == 65 && unfit.errors.contains("2 wide: made for another model; this model needs 192"))
    try Data("garbage".utf8).write(to: URL(filePath: folder.path + "/bad.pt"))
    let bad = try await run("verify", folder.path + "/bad.pt")
    #expect(bad.status == 65 && bad.output.isEmpty && bad.errors.split(separator: "\n").count == 1)
    let path = folder.path + "/fox.safetensors"
    let loud = [Float](repeating: 9, count: 192)
    try EmbeddingFile.write(LearnedEmbedding(name: "<fox>", vectors: loud, width: 192, sha256: ""), to: path)
    let shadowing = try await run("verify", path, "--model", Self.model)
    #expect(shadowing.status == 0 && shadowing.output.contains("'fox' is a word of the model's vocabulary"))
    #expect(shadowing.output.contains("vectors of norm 124.708 in the mean, the vocabulary's have 0."))
  }
}
