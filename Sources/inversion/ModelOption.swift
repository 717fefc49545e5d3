import ArgumentParser
import Errors
import Foundation
import Kernels
import Models

/// The flag of all commands that load a model themselves.
struct ModelOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A model's name, a diffusers folder or a checkpoint file. By default the embedded model, emoji-64.",
      valueName: "model"))
  var model: String?

  /// The path of the model that was asked for, or the embedded model's: of the project when run inside it, else as
  /// installed.
  /// - Throws: `fileUnavailable` when it is not there.
  func folder() throws -> String {
    if let instructionSetComplaint { note("inversion: \(instructionSetComplaint)") }
    if let model { return try ModelsFolder.resolve(model, environment: ProcessInfo.processInfo.environment) }
    let embedded = "models/emoji-64"
    guard let found = installedPath(embedded) else {
      throw InversionError(
        .fileUnavailable, "'\(installedPlace(embedded))': the embedded model is not there; give a model with '--model'")
    }
    return found
  }
}
