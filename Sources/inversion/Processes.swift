import ArgumentParser
import Wire

struct Processes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps", abstract: "Show the model that the daemon has in memory.")

  @OptionGroup var socket: SocketOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    let reply = try await socket.client.processes()
    let header = ["MODEL", "LOADED", "IDLE", "EXPIRES"]
    let rows = reply.models.map { model in
      [
        model.name, "\(Int(model.loadedSeconds)) s", "\(Int(model.idleSeconds)) s",
        model.expiresSeconds.map { "\(Int($0)) s" } ?? "never",
      ]
    }
    try listing.show(reply, rows: [header] + rows)
  }
}
