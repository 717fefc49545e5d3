import ArgumentParser
import Wire

struct Status: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Show what the daemon does.")

  @OptionGroup var socket: SocketOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    let status = try await socket.client.status()
    try listing.show(status, rows: rows(status))
  }

  private func rows(_ status: StatusReply) -> [[String]] {
    let job = status.current.map { "job \($0.job), step \($0.step) of \($0.steps)" } ?? "none"
    let store = status.embeddings
    return [
      ["pid", "\(status.pid)"],
      ["version", status.version],
      ["up", "\(Int(status.uptimeSeconds)) s"],
      [
        "model",
        "\(status.model.name), \(status.model.nativeSize) pixels, embeddings \(status.model.embeddingWidth) wide",
      ],
      [
        "embeddings",
        "\(store.inForce) in force, \(store.rejected) rejected, generation \(store.generation), '\(store.folder)'",
      ],
      ["running", job],
      ["waiting", "\(status.queue.waiting) of at most \(status.queue.limit)"],
      ["memory", "\(status.residentBytes >> 20) MiB"],
    ]
  }
}
