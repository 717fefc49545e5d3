import ArgumentParser
import Embeddings
import Errors

struct EmbeddingsAdd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Put an embedding file into the daemon's folder, and in force.",
    usage: "inversion embeddings add [<options>] <file>")

  @Argument(help: ArgumentHelp("An embedding file of any kind.", valueName: "file"))
  var file: String

  @Option(help: "The name to keep it under. By default that of the file.")
  var name: String?

  @OptionGroup var socket: SocketOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    // Read here first: a bad file is named by its path on this side.
    let bytes = try EmbeddingFile.bytes(of: file)
    _ = try EmbeddingFile.read(bytes: bytes, path: file)
    let embedding = try await socket.client.addEmbedding(bytes, as: name ?? EmbeddingFile.stem(of: file))
    try listing.show(embedding, rows: embedding.rows)
  }
}
