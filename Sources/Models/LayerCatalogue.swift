import Ops
import Synchronization
import Tensors

/// A source whose layers pass through `wrap` on their way into a network.
package struct WrappedSource: ModelSource {
  let source: any ModelSource
  let wrap: @Sendable (Network, any LayerSource) throws -> any LayerSource

  package init(
    _ source: any ModelSource, wrap: @escaping @Sendable (Network, any LayerSource) throws -> any LayerSource
  ) {
    self.source = source
    self.wrap = wrap
  }

  package var name: String { source.name }
  package func config(of network: Network) throws -> ConfigText { try source.config(of: network) }
  package func schedulerConfig() throws -> ConfigText { try source.schedulerConfig() }
  package func tokenizer() throws -> TokenizerSource { try source.tokenizer() }

  package func layers(of network: Network, dtype: DType, plan: PrecisionPlan) throws -> any LayerSource {
    try wrap(network, source.layers(of: network, dtype: dtype, plan: plan))
  }
}

/// Everything that a model's networks ask of a source, each thing checked to be there in the shape that the configs
/// say, before anything is converted.
package struct ModelCatalogue: Sendable {
  /// A weight that a network asks for, by diffusers' path.
  package enum Item: Sendable {
    case layer(String, LayerShape)
    case vector(String, count: Int)
    case table(String, rows: Int, columns: Int)
  }

  package let source: any ModelSource
  /// In the order in which the network is built, which is about that of the forward pass.
  package let items: [Network: [Item]]
  package let layers: [Network: CheckpointLayers]

  /// - Throws: `fileUnavailable`, `badFile`; `badModel` for a package, and for what loading the model would throw.
  package init(_ source: any ModelSource) throws {
    self.source = source
    let recorded = Mutex<[Network: RecordedLayers]>([:])
    let recorder = WrappedSource(source) { network, layers in
      guard let layers = layers as? CheckpointLayers else { throw notDense(source.name) }
      let own = RecordedLayers(layers)
      recorded.withLock { $0[network] = own }
      return own
    }
    // Built as if to run, so that the parts are checked to fit too; its weights are placeholders.
    _ = try DiffusionModel(recorder, parts: [.encoder, .decoder])
    items = recorded.withLock { $0.mapValues { network in network.items.withLock { $0 } } }
    layers = recorded.withLock { $0.mapValues(\.layers) }
  }
}

/// Gives placeholders, and writes down what was asked for.
private final class RecordedLayers: LayerSource {
  let layers: CheckpointLayers
  let items = Mutex<[ModelCatalogue.Item]>([])

  init(_ layers: CheckpointLayers) { self.layers = layers }

  func layer(_ path: String, _ shape: LayerShape) throws -> LayerWeight {
    let taps = shape.window.map { [$0, $0] } ?? []
    _ = try layers.entry("\(path).weight", [shape.outputs, shape.inputs] + taps)
    return .dense(record(.layer(path, shape), shape.dimensions))
  }

  func vector(_ path: String, _ count: Int) throws -> Weight {
    _ = try layers.entry(path, [count])
    return record(.vector(path, count: count), [count])
  }

  func table(_ path: String, rows: Int, columns: Int) throws -> Weight {
    _ = try layers.entry(path, [rows, columns])
    return record(.table(path, rows: rows, columns: columns), [rows, columns])
  }

  /// A weight that must never be read.
  private func record(_ item: ModelCatalogue.Item, _ shape: [Int]) -> Weight {
    items.withLock { $0.append(item) }
    guard let nowhere = UnsafeRawPointer(bitPattern: 64) else { preconditionFailure("64 is an address") }
    return Weight(pointer: nowhere, dtype: layers.dtype, shape: shape, owner: self)
  }
}

/// The dense weights of a network by their layers' paths, collected while it is built.
package final class LayerIndex: LayerSource {
  private let source: any LayerSource
  private let found = Mutex<[String: Weight]>([:])

  package init(_ source: any LayerSource) { self.source = source }

  package var weights: [String: Weight] { found.withLock { $0 } }

  package func layer(_ path: String, _ shape: LayerShape) throws -> LayerWeight {
    let layer = try source.layer(path, shape)
    if case .dense(let weight) = layer { found.withLock { $0[path] = weight } }
    return layer
  }

  package func vector(_ path: String, _ count: Int) throws -> Weight { try source.vector(path, count) }

  package func table(_ path: String, rows: Int, columns: Int) throws -> Weight {
    try source.table(path, rows: rows, columns: columns)
  }
}
