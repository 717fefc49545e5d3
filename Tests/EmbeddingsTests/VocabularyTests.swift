import Embeddings
import Errors
import Foundation
import Testing

/// What the model says of an embedding: refused with a reason, or in force with a note.
@Suite struct VocabularyTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func table(_ vocabulary: EmbeddingVocabulary) throws -> EmbeddingTable {
    try EmbeddingStore(folder: folder.path, vocabulary: vocabulary).table
  }

  private let vocabulary = EmbeddingVocabulary(width: 2, room: 3, meanNorm: 0.5) { ["cat", "dog"].contains($0) }

  private func write(_ vectors: [Float], name: String, file: String) throws {
    try EmbeddingFile.write(
      LearnedEmbedding(name: name, vectors: vectors, width: 2, sha256: ""), to: "\(folder.path)/\(file).safetensors")
  }

  @Test func moreVectorsThanTheModelsPromptsHoldAreRefused() throws {
    try write([1, 2, 3, 4, 5, 6], name: "<three>", file: "three")
    try write([1, 2, 3, 4, 5, 6, 7, 8], name: "<four>", file: "four")
    let table = try table(vocabulary)
    #expect(table.files == ["<three>": "three.safetensors"])
    #expect(
      table.rejected == [
        RejectedFile(path: "four.safetensors", reason: "4 vectors; this model's prompts have room for 3 tokens")
      ])
  }

  @Test func unusualNormsAreNotedWithFigures() throws {
    try write([30, 40], name: "<long>", file: "long")
    try write([0.03, 0.04], name: "<short>", file: "short")
    try write([0.3, 0.4], name: "<usual>", file: "usual")
    let table = try table(vocabulary)
    #expect(
      table["long"]?.notes == [
        "vectors of norm 50.0 in the mean, the vocabulary's have 0.5; it may drown the rest of a prompt"
      ])
    #expect(
      table["short"]?.notes == ["vectors of norm 0.05 in the mean, the vocabulary's have 0.5; it may have no effect"])
    #expect(table["usual"]?.notes == [] && table.rejected.isEmpty)
  }

  @Test func wordsOfTheVocabularyAreNoted() throws {
    try write([0.3, 0.4], name: "<cat>", file: "dog")
    try write([0.3, 0.4], name: "my-cat", file: "my-cat")
    let table = try table(vocabulary)
    #expect(
      table["<cat>"]?.notes
        == ["cat", "dog"].map {
          "'\($0)' is a word of the model's vocabulary; in prompts it now means this embedding"
        })
    #expect(table["my-cat"]?.notes == [])
    #expect(table["dog"]?.name == "<cat>", "reachable by the file's name and by the word")
  }
}
