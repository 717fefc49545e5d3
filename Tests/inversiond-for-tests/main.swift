import Daemon
import DaemonTestSupport
import Errors
import Foundation
import Logging

// `inversiond` with a model that is fast: inversiond-for-tests SOCKET EMBEDDINGS [DRAIN-SECONDS [IDLE-EXIT-SECONDS]]
let arguments = CommandLine.arguments
var configuration = Daemon.Configuration(embeddingsFolder: arguments[2], socketPath: arguments[1])
if arguments.count > 3, let seconds = Double(arguments[3]) { configuration.drainLimit = .seconds(seconds) }
if arguments.count > 4, let seconds = Double(arguments[4]) { configuration.idleExit = .seconds(seconds) }
let logger = Logger(label: "inversiond-for-tests") { _ in JournalLog.forProcess() }
do {
  // Steps take a while, so that a test can act while a job runs.
  let gate = StepGate.timed(milliseconds: 20)
  try await Daemon(configuration, logger: logger).run(model: "fast", FastModels(gate: gate))
} catch let error as InversionError {
  FileHandle.standardError.write(Data("error: \(error)\n".utf8))
  exit(error.code.exitStatus)
}
