import ArgumentParser
import Foundation
import Wire

struct Status: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Show what the daemon does.")

  @Flag(help: "Go on, with a line whenever something changes.")
  var watch = false

  @OptionGroup var socket: SocketOption
  @OptionGroup var listing: ListingOption

  /// Between two looks.
  private static let pause = Duration.milliseconds(200)

  func run() async throws {
    if watch { return try await follow() }
    let status = try await socket.client.status()
    try listing.show(status, rows: rows(status))
  }

  private func follow() async throws {
    var last = ""
    while true {
      let line = summary(try await socket.client.status())
      if line != last {
        print("\(Date.now.formatted(.iso8601)) \(line)")
        fflush(nil)
      }
      last = line
      try await Task.sleep(for: Self.pause)
    }
  }

  private func summary(_ status: StatusReply) -> String {
    let job = status.current.map { "job \($0.job) step \($0.step)/\($0.steps)" } ?? "idle"
    return "\(job), \(status.queue.waiting) waiting, \(status.embeddings.inForce) words"
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
        "\(status.model.name), \(status.model.nativeSize ?? 0) pixels, "
          + "embeddings \(status.model.embeddingWidth ?? 0) wide",
      ],
      [
        "embeddings",
        "\(store.inForce) in force, \(store.rejected) rejected, generation \(store.generation), '\(store.folder)'",
      ],
      ["running", job],
      ["waiting", "\(status.queue.waiting) of at most \(status.queue.limit)"],
      [
        "memory",
        "\(status.residentBytes >> 20) MiB; \(status.room.availableBytes >> 20) MiB left by \(status.room.bound)",
      ],
      ["you", "user \(status.you.uid), role '\(status.you.role)'"],
    ]
  }
}
