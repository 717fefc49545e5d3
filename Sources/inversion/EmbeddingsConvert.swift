import ArgumentParser
import Embeddings
import Errors
import Images

struct EmbeddingsConvert: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write an embedding as another kind of file; the vectors stay the same bit for bit.",
    usage: "inversion embeddings convert [<options>] <file> <output>",
    discussion: """
      diffusers: safetensors, the word as the key. a1111: a torch file. card: a PNG with the vectors in its text and \
      in its pixels. kohya: safetensors with 'emb_params', called by its file's name.
      """)

  @Argument(help: ArgumentHelp("An embedding file of any kind.", valueName: "file"))
  var input: String

  @Argument(help: ArgumentHelp("The file to write: .safetensors, .pt or .png.", valueName: "output"))
  var output: String

  @Option(help: "'diffusers', 'a1111', 'card' or 'kohya'. By default what the output's name says.")
  var to: EmbeddingFormat?

  @Option(help: "Another word for it.")
  var name: String?

  @Option(help: ArgumentHelp("What a card shows.", valueName: "file"))
  var picture: String?

  @OptionGroup var listing: ListingOption

  func run() throws {
    guard let container = EmbeddingContainer(path: output), let format = to ?? EmbeddingFormat(path: output) else {
      throw InversionError(.invalidArgument, "'\(output)': give a name that ends in .safetensors, .pt or .png")
    }
    guard container == format.container else {
      throw InversionError(
        .invalidArgument, "'\(output)': '\(format.rawValue)' makes .\(format.container.extensions[0]) files")
    }
    var embedding = try EmbeddingFile.read(input)
    if let name {
      guard EmbeddingFile.isUsable(name: name) else {
        throw InversionError(.invalidArgument, "'\(name)': no word that a prompt can hold; use printable characters")
      }
      embedding = embedding.renamed(name)
    }
    let shown = try picture.map { try DecodedPicture(path: $0).picture }
    try EmbeddingFile.write(embedding, to: output, as: format, picture: shown)
    let report = EmbeddingReport(try EmbeddingFile.read(output))
    try listing.show(report, rows: report.rows)
  }
}

extension EmbeddingFormat: ExpressibleByArgument {}
