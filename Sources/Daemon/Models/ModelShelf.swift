import CSystemd
import Errors
import Synchronization
import Wire

/// The models that can be asked for.
public protocol ModelCatalog: Sendable {
  /// Sorted; read again each time, because models come and go.
  func names() -> [String]
  /// Loads one, which takes seconds.
  /// - Throws: `InversionError`.
  func load(_ name: String) throws -> any PictureMaker
  /// How one could be served better; nil when it is well as it is.
  func advice(on name: String) -> String?
}

extension ModelCatalog {
  public func advice(on name: String) -> String? { nil }
}

/// The model that is in memory: at most one, because only one job runs. Another one takes its place when a job asks for
/// it, and when nobody has asked for long, none is there.
public final class ModelShelf: Sendable {
  private struct State {
    var loaded: (name: String, maker: any PictureMaker, since: ContinuousClock.Instant)?
    var lastUse = ContinuousClock.now
    /// Of every model that has been loaded since the start.
    var known: [String: ModelReply] = [:]
  }

  public let defaultName: String
  private let catalog: any ModelCatalog
  private let state = Mutex(State())

  public init(default name: String, _ catalog: any ModelCatalog) {
    defaultName = name
    self.catalog = catalog
  }

  /// A shelf of one model, which stays.
  public convenience init(_ maker: any PictureMaker) {
    self.init(default: maker.modelName, SingleModel(maker: maker))
    _ = try? take(maker.modelName)
  }

  public var names: [String] { Array(Set(catalog.names() + [defaultName])).sorted() }

  /// The name of a model that there is; nil asks for the default.
  /// - Throws: `.notFound` naming it.
  func resolve(_ name: String?) throws(InversionError) -> String {
    guard let name, name != defaultName else { return defaultName }
    guard catalog.names().contains(name) else {
      throw InversionError(.notFound, "'\(name)': no such model; GET /v1/models lists all")
    }
    return name
  }

  /// The model itself, loaded now if need be: for the one thread that runs jobs.
  /// - Throws: what loading throws; then no model is loaded.
  public func take(_ name: String) throws -> any PictureMaker {
    let isThere = state.withLock { state in
      state.lastUse = .now
      return state.loaded?.name == name ? state.loaded?.maker : nil
    }
    if let isThere { return isThere }
    // The other one goes first: both at once may not fit.
    unload()
    let maker = try catalog.load(name)
    state.withLock { state in
      state.loaded = (name, maker, .now)
      state.lastUse = .now
      state.known[name] = ModelReply(name: name, maker)
    }
    return maker
  }

  /// Says that a job has ended with it.
  func touch() { state.withLock { $0.lastUse = .now } }

  /// Takes the model out of memory. No job may run.
  func unload() {
    let was = state.withLock { state in
      defer { state.loaded = nil }
      return state.loaded?.maker
    }
    guard was != nil else { return }
    releaseFreed()
  }

  /// Gives what was freed back to the system, instead of keeping it for the next picture.
  func releaseFreed() { csystemd_release_memory() }

  /// What is known of a model without loading it.
  func reply(_ name: String) -> ModelReply {
    state.withLock { state in
      var reply = state.known[name] ?? ModelReply(name: name, nativeSize: nil, embeddingWidth: nil)
      reply.isLoaded = state.loaded?.name == name
      return reply
    }
  }

  /// The model in memory, for `GET /v1/ps`.
  /// - Parameter isInUse: a job runs.
  func process(keepAlive: Duration?, isInUse: Bool) -> LoadedModel? {
    state.withLock { state in
      guard let loaded = state.loaded else { return nil }
      let idle = isInUse ? 0 : (ContinuousClock.now - state.lastUse) / .seconds(1)
      return LoadedModel(
        name: loaded.name, loadedSeconds: (ContinuousClock.now - loaded.since) / .seconds(1), idleSeconds: idle,
        expiresSeconds: keepAlive.map { max(0, $0 / .seconds(1) - idle) })
    }
  }
}

private struct SingleModel: ModelCatalog {
  let maker: any PictureMaker

  func names() -> [String] { [maker.modelName] }
  func load(_ name: String) -> any PictureMaker { maker }
}
