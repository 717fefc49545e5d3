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
      second one cancels them; SIGHUP reads the folder again. A socket passed by systemd takes precedence over --socket.

      Exit status: 0 stopped by a signal or for want of clients, 64 bad flag, 65 bad model, 66 no such file or \
      folder, 70 internal error, 73 the socket is in use.
      """,
    version: Daemon.version)

  @Option(help: ArgumentHelp("A TOML file with these settings; flags override it.", valueName: "file"))
  var config: String?

  @Flag(help: "Read the configuration, tell what is wrong with it, and end.")
  var checkConfig = false

  @OptionGroup var flags: SettingFlags

  func run() async throws {
    let file = try settings()
    guard let model = file.model, let embeddings = file.embeddings else {
      throw InversionError(
        .invalidArgument, "give --model and --embeddings, or a file with 'model' and 'embeddings' by --config")
    }
    let catalog = ModelFolders(
      default: model, folders: file.models, precision: file.precision, budget: file.memoryBudget)
    if checkConfig {
      try catalog.checkDefault()
      guard access(embeddings, R_OK) == 0 else {
        throw InversionError(.fileUnavailable, "'\(embeddings)': \(String(cString: strerror(errno)))")
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
    configuration.idleExit = file.idleExit
    // Each op of a network is a sign of life: a step of many large pictures takes a small machine minutes.
    configuration.progress = { Parallel.operations }
    configuration.cacheFolder = file.cache ?? Self.defaultCache(environment: ProcessInfo.processInfo.environment)
    if config != nil { configuration.reread = { try settings() } }
    return configuration
  }

  /// The file's settings, and over them the flags.
  private func settings() throws -> ConfigurationFile {
    var file = try config.map { try ConfigurationFile(path: $0) } ?? ConfigurationFile()
    try flags.apply(to: &file)
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
