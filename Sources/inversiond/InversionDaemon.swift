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

  @Option(help: ArgumentHelp("A TOML file with these settings and more. Flags go before it.", valueName: "file"))
  var config: String?

  @Flag(help: "Read the configuration, tell what is wrong with it, and end.")
  var checkConfig = false

  @Option(help: ArgumentHelp("A model's name, a diffusers folder or a checkpoint file.", valueName: "model"))
  var model: String?

  @Option(help: ArgumentHelp("Folder of learned words.", valueName: "dir"))
  var embeddings: String?

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

  @Option(help: ArgumentHelp("Permissions of the socket. By default 660.", valueName: "octal"))
  var socketMode: String?

  @Option(help: ArgumentHelp("Threads that make pictures. By default one a processor.", valueName: "n"))
  var threads: Int?

  @Option(help: ArgumentHelp("Jobs that may wait. By default 32.", valueName: "n"))
  var queue: Int?

  @Option(help: ArgumentHelp("Seconds that jobs get to finish on stop. By default 30.", valueName: "s"))
  var drainSeconds: Int?

  func run() async throws {
    let file = try settings()
    guard let model = file.model, let embeddings = file.embeddings else {
      throw InversionError(
        .invalidArgument, "give --model and --embeddings, or a file with 'model' and 'embeddings' by --config")
    }
    let catalog = ModelFolders(default: model, folders: file.models)
    let path = catalog.path(of: model)
    if checkConfig {
      for path in [path, embeddings] where access(path, R_OK) != 0 {
        throw InversionError(.fileUnavailable, "'\(path)': \(String(cString: strerror(errno)))")
      }
      return
    }
    if let threads = file.threads { Parallel.threads = threads }
    let logger = Logger(label: "inversiond") { _ in JournalLog.forProcess() }
    if let instructionSetComplaint { logger.warning("\(instructionSetComplaint)") }
    try await Daemon(configuration(file, embeddings: embeddings), logger: logger).run(
      model: catalog.name(of: model), catalog)
  }

  private func configuration(_ file: ConfigurationFile, embeddings: String) -> Daemon.Configuration {
    let path = file.socket ?? Daemon.defaultSocketPath(environment: ProcessInfo.processInfo.environment)
    var configuration = Daemon.Configuration(embeddingsFolder: embeddings, socketPath: path)
    configuration.socketMode = file.socketMode ?? configuration.socketMode
    configuration.limits = file.limits
    configuration.access = file.access
    configuration.drainLimit = file.drain ?? configuration.drainLimit
    configuration.cacheFolder = cache ?? Self.defaultCache(environment: ProcessInfo.processInfo.environment)
    if config != nil { configuration.reread = { try settings() } }
    return configuration
  }

  /// The file's settings, and over them the flags.
  private func settings() throws -> ConfigurationFile {
    var file = try config.map { try ConfigurationFile(path: $0) } ?? ConfigurationFile()
    file.model = model ?? file.model
    file.embeddings = embeddings ?? file.embeddings
    file.socket = socket ?? file.socket
    if let socketMode {
      guard let mode = mode_t(socketMode, radix: 8), mode <= 0o777 else {
        throw InversionError(.invalidArgument, "--socket-mode '\(socketMode)': give an octal number such as 660")
      }
      file.socketMode = mode
    }
    if let threads {
      guard (1...1024).contains(threads) else {
        throw InversionError(.invalidArgument, "--threads '\(threads)': give 1 to 1024")
      }
      file.threads = threads
    }
    guard queue ?? 1 > 0, drainSeconds ?? 0 >= 0 else {
      throw InversionError(.invalidArgument, "--queue must be 1 or more, --drain-seconds 0 or more")
    }
    file.limits.waiting = queue ?? file.limits.waiting
    file.limits.waitingPerUser = min(file.limits.waitingPerUser, file.limits.waiting)
    file.drain = drainSeconds.map { .seconds($0) } ?? file.drain
    return file
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
