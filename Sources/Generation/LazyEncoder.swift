import Models
import Synchronization

/// The VAE's encoder, loaded when the first starting picture comes: most requests have none, and it takes memory.
final class LazyEncoder: Sendable {
  private let path: String
  private let loaded = Mutex<AutoencoderKL?>(nil)

  init(path: String) { self.path = path }

  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  func get() throws -> AutoencoderKL {
    try loaded.withLock { loaded in
      if let loaded { return loaded }
      // The other networks come along and are dropped again.
      let encoder = try DiffusionModel(path: path, parts: .encoder).autoencoder
      loaded = encoder
      return encoder
    }
  }
}
