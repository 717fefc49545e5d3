import ArgumentParser

struct Reload: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Let the daemon read its settings and its embeddings folder again, and wait until it has.",
    discussion: "Limits and access are taken over; a fault in the file changes nothing and is told with its line.")

  @OptionGroup var socket: SocketOption

  func run() async throws { _ = try await socket.client.reload() }
}
