import ArgumentParser
import Embeddings

struct EmbeddingsInspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what an embedding file holds, of whatever tool it is.")

  @Argument(
    help: ArgumentHelp(
      "safetensors, .pt, .bin, GGUF, a PNG or WebP card, or a folder of the sd-concepts-library.", valueName: "file"))
  var file: String

  @OptionGroup var listing: ListingOption

  func run() throws {
    let report = EmbeddingReport(try EmbeddingFile.read(file))
    try listing.show(report, rows: report.rows)
  }
}
