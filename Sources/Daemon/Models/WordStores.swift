import Embeddings
import Errors
import Synchronization

/// The embeddings folder as each model sees it: which words fit, and which hide one of its own, the model says.
public final class WordStores: Sendable {
  private let folder: String
  private let cache: String?
  private let onChange: @Sendable (EmbeddingTable) -> Void
  /// By the name of the model.
  private let stores = Mutex<[String: EmbeddingStore]>([:])

  /// - Parameters:
  ///   - cache: as of `EmbeddingStore`; for the first model's.
  ///   - onChange: called with each new table of the first model's store.
  public init(
    folder: String, cache: String? = nil, onChange: @escaping @Sendable (EmbeddingTable) -> Void = { _ in }
  ) {
    self.folder = folder
    self.cache = cache
    self.onChange = onChange
  }

  /// One that is made and watched already.
  package convenience init(_ store: EmbeddingStore, of model: String) {
    self.init(folder: store.folder)
    stores.withLock { $0[model] = store }
  }

  /// The snapshot of a model's words; nil for one that has not been loaded since the start.
  func table(of model: String) -> EmbeddingTable? { stores.withLock { $0[model] }?.table }

  /// - Throws: what `EmbeddingStore` throws.
  public func store(of model: String, _ maker: any PictureMaker) throws(InversionError) -> EmbeddingStore {
    if let known = stores.withLock({ $0[model] }) { return known }
    let isFirst = all.isEmpty
    let store = try EmbeddingStore(
      folder: folder, vocabulary: maker.embeddingVocabulary, cache: isFirst ? cache : nil)
    // What fits another model is no news.
    if isFirst { try store.watch(onChange: onChange) } else { try store.watch() }
    return keep(store, of: model)
  }

  /// The store of the model: somebody may have been faster.
  private func keep(_ store: EmbeddingStore, of model: String) -> EmbeddingStore {
    stores.withLock { stores in
      if let other = stores[model] { return other }
      stores[model] = store
      return store
    }
  }

  func rescan() { for store in all { store.rescan() } }

  func stopWatching() { for store in all { store.stopWatching() } }

  private var all: [EmbeddingStore] { stores.withLock { Array($0.values) } }
}
