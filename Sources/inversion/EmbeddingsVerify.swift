import ArgumentParser
import Embeddings
import Errors
import Generation
import Models

struct EmbeddingsVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that an embedding file is sound and, with a model, that it fits.",
    discussion: "Exit status 0: usable, perhaps with notes; 65: not, with the reason.")

  @Argument(help: ArgumentHelp("An embedding file of any kind.", valueName: "file"))
  var file: String

  @Option(help: ArgumentHelp("The model to use it with.", valueName: "dir"))
  var model: String?

  @OptionGroup var listing: ListingOption

  func run() throws {
    let embedding = try EmbeddingFile.read(file)
    let report = EmbeddingReport(embedding, notes: try notes(on: embedding))
    try listing.show(report, rows: report.rows)
  }

  /// - Throws: `.badEmbedding` when the model cannot use it.
  private func notes(on embedding: LearnedEmbedding) throws -> [String] {
    guard let model else { return [] }
    let vocabulary = EmbeddingVocabulary(try DiffusionModel(path: model, parts: .decoder))
    if let reason = vocabulary.refusal(of: embedding) { throw InversionError(.badEmbedding, "'\(file)': \(reason)") }
    let words = [embedding.name, EmbeddingFile.stem(of: file), embedding.otherName].compactMap(\.self)
    return vocabulary.warnings(of: embedding, words: words)
  }
}
