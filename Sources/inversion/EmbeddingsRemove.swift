import ArgumentParser

struct EmbeddingsRemove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Delete a word's file from the daemon's folder.")

  @Argument(help: "The word, or the name of its file.")
  var name: String

  @OptionGroup var socket: SocketOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    let reply = try await socket.client.removeEmbedding(name)
    try listing.show(reply, rows: [["removed", reply.removed]])
  }
}
