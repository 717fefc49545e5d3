import CSystemd
import Embeddings
import Errors
import Glibc
import Logging
import NIOCore
import NIOPosix
import Wire

/// The daemon: a model, a store of embeddings and a queue of jobs behind a Unix socket.
public struct Daemon: Sendable {
  /// Of the programs.
  public static let version = projectVersion

  public struct Configuration: Sendable {
    public var embeddingsFolder: String
    /// Where the store keeps what it has read of a large folder; nil to read all files at each start.
    public var cacheFolder: String?
    /// Where to serve, unless the service manager passes a socket.
    public var socketPath: String
    /// Permissions of a socket of our own.
    public var socketMode: mode_t? = 0o660
    public var limits = GenerationService.Limits()
    /// With a socket of the service manager's: ends after so long without a client; nil never does.
    public var idleExit: Duration?
    /// Grows while a model computes, also within a step; what the watchdog looks at beside the steps.
    public var progress: @Sendable () -> Int = { 0 }
    public var access = AccessPolicy()
    /// Reads limits and access again, for a reload; nil where no file says them.
    public var reread: (@Sendable () throws -> ConfigurationFile)?
    /// On stop, jobs that are not done after this time are cancelled.
    public var drainLimit = Duration.seconds(30)
    /// Then their clients get this time to take the answers.
    public var farewellLimit = Duration.seconds(5)
    /// A connection without a request, with half of one, or whose answer nobody takes is closed after this time.
    public var idleTimeout = Duration.seconds(60)

    public init(embeddingsFolder: String, socketPath: String) {
      self.embeddingsFolder = embeddingsFolder
      self.socketPath = socketPath
    }
  }

  /// The socket of `INVERSION_SOCKET`, else the user's own, else the system's; as the client looks for it.
  public static func defaultSocketPath(environment: [String: String]) -> String {
    SocketPath.standard(environment: environment)
  }

  /// What a cancelled job may still take: a denoising step of a large model on a slow machine.
  private static let lastStep = Duration.seconds(30)

  private let configuration: Configuration
  private let logger: Logger

  public init(_ configuration: Configuration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
  }

  /// Serves until SIGTERM or SIGINT, then finishes its jobs.
  ///
  /// The socket comes first: a second daemon is refused before it has loaded a model, and clients that come while the
  /// model is loaded wait instead of failing.
  /// - Parameters:
  ///   - model: the name of the model that is served when nobody asks for another; it is loaded now.
  ///   - catalog: gives the models.
  /// - Throws: what `ListeningSocket`, the catalog and `EmbeddingStore` throw.
  public func run(model: String, _ catalog: any ModelCatalog) async throws {
    csystemd_keep_heap_small()
    let signals = Signals.ofProcess()
    let socket = try openSocket()
    do {
      let shelf = ModelShelf(default: model, catalog)
      let maker = try shelf.take(model)
      if let advice = catalog.advice(on: model) { logger.notice("\(advice)") }
      let words = WordStores(folder: configuration.embeddingsFolder, cache: configuration.cacheFolder) {
        [logger] table in
        Self.report(table, to: logger)
      }
      let store = try words.store(of: model, maker)
      Self.report(store.table, to: logger)
      if configuration.idleExit != nil && !socket.isInherited {
        logger.notice("'idle_exit_seconds' needs a socket of the service manager's, ignoring")
      }
      try await serve(
        descriptor: socket.descriptor, shelf: shelf, words: words, store: store, signals: signals,
        idleExit: socket.isInherited ? configuration.idleExit : nil)
    } catch {
      socket.remove()
      throw error
    }
    socket.remove()
  }

  private func openSocket() throws(InversionError) -> ListeningSocket {
    if let socket = try ListeningSocket.inherited() { return socket }
    return try ListeningSocket.open(path: configuration.socketPath, mode: configuration.socketMode)
  }

  /// Serves on a listening descriptor, which it closes, until a signal says to stop and the last job is done.
  package func serve(
    descriptor: CInt, shelf: ModelShelf, words: WordStores, store: EmbeddingStore, signals: Signals,
    idleExit: Duration? = nil
  ) async throws {
    // One thread moves bytes; the model has all others.
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let metrics = Metrics()
    let service = GenerationService(shelf: shelf, words: words, limits: configuration.limits) { [logger] job in
      job.write(to: logger)
      metrics.add(job)
    }
    let access = AccessControl(configuration.access)
    let reload = Reloader(
      reread: configuration.reread, access: access, generation: service, words: words, logger: logger)
    let services = Services(generation: service, store: store, access: access, metrics: metrics, reload: reload)
    var limits = HTTPServer.Limits()
    limits.idleTimeout = TimeAmount(configuration.idleTimeout)
    limits.readPatience = limits.idleTimeout
    let server = try await HTTPServer(
      descriptor: descriptor, responder: makeRouter(services), limits: limits, group: group, metrics: metrics,
      logger: logger)
    Watchdog.start(on: group.next(), interval: ServiceManager.watchdogInterval, service: service) {
      [progress = configuration.progress] in
      service.progressCount &+ progress()
    }
    if let idleExit { IdleExit.start(on: group.next(), after: idleExit, server: server, signals: signals) }

    let serving = Task { await server.run() }
    logger.info("serving", metadata: ["model": "\(shelf.defaultName)", "pid": "\(getpid())"])
    ServiceManager.ready("serving \(shelf.defaultName)")
    await obey(signals, services) { await drain(server, service, until: serving) }
    words.stopWatching()
    try await group.shutdownGracefully()
    logger.info("stopped")
  }

  /// Carries out signals until the daemon has drained.
  private func obey(_ signals: Signals, _ services: Services, drain: @escaping @Sendable () async -> Void) async {
    var stopping = false
    func stop(_ reason: Logger.Message) {
      stopping = true
      logger.info(reason)
      ServiceManager.stopping(within: configuration.drainLimit + configuration.farewellLimit + Self.lastStep)
      Task {
        await drain()
        signals.send(.drained)
      }
    }
    for await signal in signals.stream {
      switch signal {
      case .reload:
        // What is wrong is in the log.
        try? await services.reload()
      case .stop where stopping:
        logger.notice("stopped twice: cancelling all jobs")
        await services.generation.cancelAll()
      case .stop: stop("stopping when the jobs are done")
      case .idle where stopping: break
      case .idle: stop("ending until the next client comes")
      case .drained: return
      }
    }
  }

  /// Takes no more clients, and serves those that are there: jobs end or are cancelled in `drainLimit`, and who neither
  /// takes an answer nor asks for another picture in `farewellLimit` after the last one is hung up on.
  private func drain(_ server: HTTPServer, _ service: GenerationService, until served: Task<Void, Never>) async {
    await service.beginDrain()
    await server.stopAccepting()
    let hurry = Task { [limit = configuration.drainLimit] in
      try await Task.sleep(for: limit)
      await service.endDrain()
      logger.notice("not done after \(limit / .seconds(1)) s: the jobs that are left are cancelled")
    }
    let farewell = Task { [limit = configuration.farewellLimit] in
      repeat {
        await service.lastJob()
        try await Task.sleep(for: limit)
      } while await service.hasJobs
      server.dropConnections()
    }
    await served.value
    hurry.cancel()
    farewell.cancel()
    // Of clients that have left.
    await service.lastJob()
  }

  private static func report(_ table: EmbeddingTable, to logger: Logger) {
    logger.info(
      "embeddings",
      metadata: [
        "generation": "\(table.generation)", "in_force": "\(table.embeddings.count)",
        "rejected": "\(table.rejected.count)",
      ])
    for file in table.rejected { logger.warning("'\(file.path)': \(file.reason)") }
    // Once, when it comes: a store of thousands would else repeat itself at each change.
    for embedding in table.embeddings.values where embedding.generation == table.generation {
      for note in embedding.notes { logger.notice("'\(embedding.name)': \(note)") }
    }
  }
}
