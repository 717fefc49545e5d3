import ArgumentParser
import Foundation
import Models

/// `inversion models`: the models of this machine.
struct ModelsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "Get and import models, and list, show, verify and remove them.",
    discussion: """
      A model of other tools is imported once: its weights are quantised, packed for the processor and kept in a \
      folder of its own, from which they are mapped. All commands take its name for '--model' then.
      """,
    subcommands: [
      ModelsImport.self, ModelsPull.self, ModelsAnalyze.self, ModelsList.self, ModelsShow.self, ModelsVerify.self,
      ModelsRemove.self,
    ])
}

/// The flag of all commands that work on the folder of models.
struct ModelsOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Folder of models. By default $INVERSION_MODELS, /var/lib/inversion/models for root, or "
        + "$XDG_DATA_HOME/inversion/models.", valueName: "dir"))
  var models: String?

  var folder: ModelsFolder {
    models.map { ModelsFolder(path: $0) } ?? .standard(environment: ProcessInfo.processInfo.environment)
  }
}

/// A number of bytes as people read it.
func readable(bytes: Int) -> String {
  bytes < 1_000_000 ? "\((bytes + 999) / 1000) kB" : String(format: "%.1f MB", Double(bytes) / 1e6)
}

/// Layers by precision: '120 int8, 7 f16'.
func readable(layers: [String: Int]) -> String {
  layers.sorted { $0.value > $1.value }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
}
