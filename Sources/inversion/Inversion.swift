import ArgumentParser
import Errors
import Foundation
import Wire

@main
struct Inversion: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inversion",
    abstract: "Teach a text-to-image model a new word from a few pictures, and draw with it.",
    discussion: """
      'train', 'evaluate', 'bench' and 'models' work by themselves; 'generate', 'embeddings', 'status', 'ps' and \
      'reload' ask a daemon, inversiond, which has to run.

      Exit status: 0 done, 64 bad flag or request, 65 bad file, picture, model or embedding, 66 no such file, folder, \
      model or embedding, 69 no daemon answers, 70 internal error or diverged training, 75 the daemon is busy, \
      77 not allowed, 130 cancelled.
      """,
    version: projectVersion,
    subcommands: [
      Generate.self, EmbeddingsCommand.self, ModelsCommand.self, Status.self, Processes.self, Reload.self, Doctor.self,
      Train.self, Evaluate.self, Bench.self,
    ])

  /// Prints an error of ours once, as one line, and ends with its documented status.
  static func main() async {
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let error as InversionError {
      FileHandle.standardError.write(Data("inversion: \(error)\n".utf8))
      Foundation.exit(error.code.exitStatus)
    } catch {
      exit(withError: error)
    }
  }
}
