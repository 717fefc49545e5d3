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
    /// On stop, jobs that are not done after this time are cancelled.
    public var drainLimit = Duration.seconds(30)
    /// Then their clients get this time to take the answers.
    public var farewellLimit = Duration.seconds(5)
    /// A connection without a request, or with half of one, is closed after this time.
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
  /// - Parameter load: gives the model.
  /// - Throws: what `ListeningSocket`, `load` and `EmbeddingStore` throw.
  public func run(load: () throws -> any PictureMaker) async throws {
    let signals = Signals.ofProcess()
    let socket = try openSocket()
    do {
      let maker = try load()
      let store = try EmbeddingStore(
        folder: configuration.embeddingsFolder, vocabulary: maker.embeddingVocabulary,
        cache: configuration.cacheFolder)
      let logger = logger
      try store.watch { table in Self.report(table, to: logger) }
      Self.report(store.table, to: logger)
      try await serve(descriptor: socket.descriptor, maker: maker, store: store, signals: signals)
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
    descriptor: CInt, maker: any PictureMaker, store: EmbeddingStore, signals: Signals
  ) async throws {
    // One thread moves bytes; the model has all others.
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let service = GenerationService(maker: maker, limits: configuration.limits)
    var limits = HTTPServer.Limits()
    limits.idleTimeout = TimeAmount(configuration.idleTimeout)
    let server = try await HTTPServer(
      descriptor: descriptor, responder: makeRouter(Services(generation: service, store: store)), limits: limits,
      group: group, logger: logger)
    Watchdog.start(on: group.next(), interval: ServiceManager.watchdogInterval, service: service)

    let serving = Task { await server.run() }
    logger.info("serving", metadata: ["model": "\(maker.modelName)", "pid": "\(getpid())"])
    ServiceManager.ready("serving \(maker.modelName)")
    await obey(signals, server: server, service: service, store: store)
    server.closeConnections()
    let farewell = Task { [limit = configuration.farewellLimit] in
      try await Task.sleep(for: limit)
      server.dropConnections()
    }
    await serving.value
    farewell.cancel()
    store.stopWatching()
    try await group.shutdownGracefully()
    logger.info("stopped")
  }

  /// Carries out signals until the daemon has drained.
  private func obey(
    _ signals: Signals, server: HTTPServer, service: GenerationService, store: EmbeddingStore
  ) async {
    var stopping = false
    for await signal in signals.stream {
      switch signal {
      case .reload:
        ServiceManager.reloading()
        store.rescan()
        ServiceManager.ready("serving \(service.maker.modelName)")
      case .stop where stopping:
        logger.notice("stopped twice: cancelling all jobs")
        await service.cancelAll()
      case .stop:
        stopping = true
        logger.info("stopping when the jobs are done")
        ServiceManager.stopping()
        server.stopAccepting()
        Task { [limit = configuration.drainLimit] in
          await service.drain(limit: limit)
          signals.send(.drained)
        }
      case .drained:
        return
      }
    }
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
