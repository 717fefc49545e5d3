import ArgumentParser
import Wire

/// `inversion embeddings`: the learned words that the daemon has in force.
struct EmbeddingsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embeddings", abstract: "List, add and remove the daemon's learned words.",
    subcommands: [EmbeddingsList.self, EmbeddingsShow.self, EmbeddingsAdd.self, EmbeddingsRemove.self])
}

extension EmbeddingReply {
  /// One embedding in full, for people.
  var rows: [[String]] {
    [
      ["name", name], ["alias", alias ?? "-"], ["file", file], ["vectors", "\(vectors) of \(width)"],
      ["sha256", sha256], ["generation", "\(generation)"],
    ] + metadata.sorted { $0.key < $1.key }.map { ["metadata", "\($0.key) = \($0.value)"] }
  }
}
