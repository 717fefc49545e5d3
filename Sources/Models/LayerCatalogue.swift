import Ops
import Synchronization
import Tensors

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
    let recorder = Recorder(source: source)
    // Built as if to run, so that the parts are checked to fit too; its weights are placeholders.
    _ = try DiffusionModel(recorder, parts: [.encoder, .decoder])
    items = recorder.networks.withLock { $0.mapValues { network in network.items.withLock { $0 } } }
    layers = recorder.networks.withLock { $0.mapValues(\.layers) }
  }
}

/// A source whose networks get placeholders, and are written down.
private final class Recorder: ModelSource {
  let source: any ModelSource
  let networks = Mutex<[Network: RecordedLayers]>([:])

  init(source: any ModelSource) { self.source = source }

  var name: String { source.name }
  func config(of network: Network) throws -> ConfigText { try source.config(of: network) }
  func schedulerConfig() throws -> ConfigText { try source.schedulerConfig() }
  func tokenizer() throws -> TokenizerSource { try source.tokenizer() }

  func layers(of network: Network, dtype: DType, plan: PrecisionPlan) throws -> any LayerSource {
    guard let layers = try source.layers(of: network, dtype: dtype, plan: plan) as? CheckpointLayers else {
      throw notDense(source.name)
    }
    let recorded = RecordedLayers(layers)
    networks.withLock { $0[network] = recorded }
    return recorded
  }
}

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
