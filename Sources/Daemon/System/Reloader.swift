import Errors
import Logging

/// Takes a changed configuration and a changed embeddings folder over while jobs go on.
struct Reloader: Sendable {
  let reread: (@Sendable () throws -> ConfigurationFile)?
  let access: AccessControl
  let generation: GenerationService
  let words: WordStores
  let logger: Logger

  /// The service manager is told, and asked to wait meanwhile.
  /// - Throws: what is wrong with the configuration; then everything stays as it is.
  func callAsFunction() async throws {
    ServiceManager.reloading()
    defer { ServiceManager.ready("serving \(generation.shelf.defaultName)") }
    do {
      if let file = try reread?() {
        access.policy = file.access
        await generation.set(file.limits)
      }
      words.rescan()
      logger.info("reloaded")
    } catch {
      logger.error("the reload failed, nothing has changed: \(error)")
      throw error
    }
  }
}
