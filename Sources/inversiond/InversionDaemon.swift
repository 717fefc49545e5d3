import ArgumentParser
import Daemon
import Errors
import FoundationEssentials
import Generation
import Glibc
import Kernels
import Logging
import Models

@main
struct InversionDaemon: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inversiond",
    abstract: "Serve pictures, and follow a folder of learned words, behind a Unix socket.",
    discussion: """
      A file renamed into the embeddings folder is in force at once. SIGTERM and SIGINT finish the jobs and stop, a \
      second one cancels them; SIGHUP reads the folder again. A socket passed by systemd goes before --socket.

      Exit status: 0 stopped by a signal, 64 bad flag, 65 bad model, 66 no such file or folder, 70 internal error, 73 \
      the socket is in use.
      """,
    version: Daemon.version)

  @Option(help: ArgumentHelp("A model's name, a diffusers folder or a checkpoint file.", valueName: "model"))
  var model: String

  @Option(help: ArgumentHelp("Folder of learned words.", valueName: "dir"))
  var embeddings: String

  @Option(
    help: ArgumentHelp(
      "Keeps what was read of a large embeddings folder. By default $CACHE_DIRECTORY or ~/.cache/inversion.",
      valueName: "dir"))
  var cache: String?

  @Option(
    help: ArgumentHelp(
      "Where to listen. By default $INVERSION_SOCKET, $XDG_RUNTIME_DIR/inversiond.sock or /run/inversiond.sock.",
      valueName: "path"))
  var socket: String?

  @Option(help: ArgumentHelp("Permissions of the socket.", valueName: "octal"))
  var socketMode = "660"

  @Option(help: ArgumentHelp("Threads that make pictures. By default one a processor.", valueName: "n"))
  var threads: Int?

  @Option(help: ArgumentHelp("Jobs that may wait.", valueName: "n"))
  var queue = GenerationService.Limits().waiting

  @Option(help: ArgumentHelp("Seconds that jobs get to finish on stop.", valueName: "s"))
  var drainSeconds = 30

  func run() async throws {
    let configuration = try configuration()
    let logger = Logger(label: "inversiond") { _ in StderrLog() }
    if let instructionSetComplaint { logger.warning("\(instructionSetComplaint)") }
    let path = ModelsFolder.resolve(model, environment: ProcessInfo.processInfo.environment)
    try await Daemon(configuration, logger: logger).run { try Pipeline(folder: path) }
  }

  private func configuration() throws(InversionError) -> Daemon.Configuration {
    guard let mode = mode_t(socketMode, radix: 8), mode <= 0o777 else {
      throw InversionError(.invalidArgument, "--socket-mode '\(socketMode)': give an octal number such as 660")
    }
    guard queue > 0, drainSeconds >= 0 else {
      throw InversionError(.invalidArgument, "--queue must be 1 or more, --drain-seconds 0 or more")
    }
    if let threads {
      guard (1...1024).contains(threads) else {
        throw InversionError(.invalidArgument, "--threads '\(threads)': give 1 to 1024")
      }
      Parallel.threads = threads
    }
    let path = socket ?? Daemon.defaultSocketPath(environment: ProcessInfo.processInfo.environment)
    var configuration = Daemon.Configuration(embeddingsFolder: embeddings, socketPath: path)
    configuration.socketMode = mode
    configuration.cacheFolder = cache ?? Self.defaultCache(environment: ProcessInfo.processInfo.environment)
    configuration.limits.waiting = queue
    configuration.limits.waitingPerUser = min(configuration.limits.waitingPerUser, queue)
    configuration.drainLimit = .seconds(drainSeconds)
    return configuration
  }

  /// The service manager's folder, else the user's.
  private static func defaultCache(environment: [String: String]) -> String? {
    if let folder = environment["CACHE_DIRECTORY"], !folder.isEmpty { return folder }
    if let folder = environment["XDG_CACHE_HOME"], folder.hasPrefix("/") { return "\(folder)/inversion" }
    return environment["HOME"].flatMap { $0.hasPrefix("/") ? "\($0)/.cache/inversion" : nil }
  }

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
      // FoundationEssentials, which has no file handles, keeps the program small: the whole Foundation brings ICU.
      let line = Array("inversiond: \(error)\n".utf8)
      _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
      Glibc.exit(error.code.exitStatus)
    } catch {
      exit(withError: error)
    }
  }
}
