import ArgumentParser
import Wire

/// `inversion embeddings`: the learned words that the daemon has in force.
struct EmbeddingsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embeddings", abstract: "List, add and remove the daemon's learned words; look into files.",
    subcommands: [
      EmbeddingsList.self, EmbeddingsShow.self, EmbeddingsAdd.self, EmbeddingsRemove.self, EmbeddingsInspect.self,
      EmbeddingsVerify.self, EmbeddingsConvert.self,
    ])
}

extension EmbeddingReply {
  /// One embedding in full, for people.
  var rows: [[String]] {
    [
      ["name", name], ["aliases", aliases.isEmpty ? "-" : aliases.joined(separator: ", ")], ["file", file],
      ["kind", kind], ["vectors", "\(vectors) of \(width), mean norm \(rounded(norm))"],
      ["sha256", sha256], ["generation", "\(generation)"],
    ] + notes.map { ["note", $0] }
      + metadata.sorted { $0.key < $1.key }.map { ["metadata", "\($0.key) = \($0.value)"] }
  }
}
