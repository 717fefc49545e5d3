import ArgumentParser
import Errors
import Foundation
import Kernels

/// The flag of all commands that load a model themselves.
struct ModelOption: ParsableArguments {
  @Option(help: ArgumentHelp("A diffusers folder. By default the embedded model, emoji-64.", valueName: "dir"))
  var model: String?

  /// The folder that was asked for, or the embedded model's: of the project when run inside it, else as installed.
  /// - Throws: `fileUnavailable` when there is no embedded model.
  func folder() throws -> String {
    if let instructionSetComplaint { note("inversion: \(instructionSetComplaint)") }
    if let model { return model }
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let installed = program.appendingPathComponent("../../share/inversion/models/emoji-64").standardized.path
    let candidates = ["models/emoji-64", installed]
    guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
      throw InversionError(
        .fileUnavailable, "'\(installed)': the embedded model is not there; give a model with '--model DIR'")
    }
    return found
  }
}
