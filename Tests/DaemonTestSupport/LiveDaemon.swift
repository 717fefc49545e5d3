import Client
import Daemon
import Embeddings
import Errors
import Foundation
import Logging

/// An empty folder that is deleted with the object.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() throws {
    // Short, because a socket's path has at most 107 bytes.
    let url = FileManager.default.temporaryDirectory.appending(path: "inv-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.resolvingSymlinksInPath().path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A listening socket that outlives the daemons that serve it, as a service manager's does.
public final class HeldSocket: Sendable {
  public let folder: TemporaryFolder
  public var path: String { folder.path + "/s" }
  private let descriptor: CInt

  public init() throws {
    folder = try TemporaryFolder()
    let socket = try ListeningSocket.open(path: folder.path + "/s", mode: 0o600)
    descriptor = socket.descriptor
    socket.keep()
  }

  /// For a daemon to take over.
  func share() -> CInt { dup(descriptor) }

  deinit { close(descriptor) }
}

/// A daemon in this process, on a socket of its own unless one is given, with an embeddings folder beside it.
public final class LiveDaemon: Sendable {
  public let folder: TemporaryFolder
  public let socketPath: String
  public let embeddingsFolder: String
  public let store: EmbeddingStore
  public var client: DaemonClient { DaemonClient(socketPath: socketPath) }
  private let signals = Signals()
  private let serving: Task<Void, any Error>

  public init(
    _ maker: some PictureMaker = FastMaker(), others: (any ModelCatalog)? = nil, on held: HeldSocket? = nil,
    log: RecordedLog? = nil,
    configure: (inout Daemon.Configuration) -> Void = { _ in }
  ) throws {
    let socket = try held ?? HeldSocket()
    folder = socket.folder
    socketPath = socket.path
    embeddingsFolder = folder.path + "/embeddings"
    try FileManager.default.createDirectory(atPath: embeddingsFolder, withIntermediateDirectories: true)
    store = try EmbeddingStore(folder: embeddingsFolder, width: maker.embeddingWidth)
    try store.watch()
    var configuration = Daemon.Configuration(embeddingsFolder: embeddingsFolder, socketPath: socketPath)
    configure(&configuration)
    let daemon = Daemon(
      configuration, logger: log?.logger ?? Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let shelf = others.map { ModelShelf(default: maker.modelName, $0) } ?? ModelShelf(maker)
    _ = try shelf.take(maker.modelName)
    let descriptor = socket.share()
    serving = Task { [store, signals, idleExit = configuration.idleExit] in
      try await daemon.serve(
        descriptor: descriptor, shelf: shelf, words: WordStores(store, of: shelf.defaultName), store: store,
        signals: signals, idleExit: idleExit)
    }
  }

  /// Asks it to stop, as SIGTERM does.
  public func stop() { signals.send(.stop) }

  /// Returns when it has stopped.
  public func stopped() async throws { try await serving.value }

  deinit {
    signals.send(.stop)
    signals.send(.stop)
  }
}

/// The content of an embedding file of one vector.
public func embeddingFile(_ value: Float, name: String, width: Int = 4) throws -> [UInt8] {
  let folder = try TemporaryFolder()
  let path = folder.path + "/x.safetensors"
  let vectors = [Float](repeating: value, count: width)
  try EmbeddingFile.write(LearnedEmbedding(name: name, vectors: vectors, width: width, sha256: ""), to: path)
  return try [UInt8](Data(contentsOf: URL(filePath: path)))
}
