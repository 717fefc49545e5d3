import ArgumentParser

struct EmbeddingsShow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one word in full.")

  @Argument(help: "The word, or the name of its file.")
  var name: String

  @OptionGroup var socket: SocketOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    let embedding = try await socket.client.embedding(name)
    try listing.show(embedding, rows: embedding.rows)
  }
}
