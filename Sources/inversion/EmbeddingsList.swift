import ArgumentParser

struct EmbeddingsList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the words in force, and the files that are not, with the reason.")

  @OptionGroup var socket: SocketOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    let reply = try await socket.client.embeddings()
    let header = ["NAME", "ALIAS", "VECTORS", "SHA256", "FILE"]
    let rows = reply.embeddings.map { [$0.name, $0.alias ?? "-", "\($0.vectors)", "\($0.sha256.prefix(12))", $0.file] }
    try listing.show(reply, rows: [header] + rows)
    for word in reply.embeddings {
      for text in word.notes { note("note: '\(word.name)': \(text)") }
    }
    for file in reply.rejected { note("rejected: '\(file.file)': \(file.reason)") }
  }
}
