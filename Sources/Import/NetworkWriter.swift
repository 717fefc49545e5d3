import Formats
import Kernels
import Models
import Ops
import Tensors

/// Writes the weights of one network: each is read, converted and let go while the file grows.
struct NetworkWriter {
  private let layers: CheckpointLayers
  private let items: [ModelCatalogue.Item]
  private let precision: [String: LayerPrecision]

  init(_ network: Network, _ catalogue: ModelCatalogue, _ precision: [String: LayerPrecision]) throws {
    guard let layers = catalogue.layers[network], let items = catalogue.items[network] else {
      preconditionFailure("the catalogue has every network")
    }
    self.layers = layers
    self.items = items
    self.precision = precision
  }

  /// - Parameter progress: called after each item.
  func write(to path: String, progress: @escaping () -> Void) throws {
    var writer = SafetensorsWriter(metadata: ["packing": PackedWeight.packing], layout: .mapped)
    for item in items {
      switch item {
      case .layer(let path, let shape) where precision[path] == .int8:
        addPacked(path, shape, to: &writer, progress)
      case .layer(let path, let shape) where precision[path] == .f32:
        add("\(path).weight", .f32, shape.dimensions, to: &writer, progress) { try layers.denseWeight(path, shape) }
      case .layer(let path, let shape):
        let half = precision[path]?.half ?? .f16
        add("\(path).weight", half, shape.dimensions, to: &writer, progress) {
          try layers.halfWeight(path, shape, as: half)
        }
      case .vector(let path, let count):
        add(path, .f32, [count], to: &writer, progress) { try layers.vector(path, count) }
      case .table(let path, let rows, let columns) where path.contains("token_embedding"):
        add(path, .f16, [rows, columns], to: &writer, progress) {
          try layers.halfTable(path, rows: rows, columns: columns)
        }
      case .table(let path, let rows, let columns):
        // Positions: few, and all of them are added to every prompt.
        add(path, .f32, [rows, columns], to: &writer, progress) {
          try layers.wideTable(path, rows: rows, columns: columns)
        }
      }
    }
    try writer.write(to: path)
  }

  private func addPacked(
    _ path: String, _ shape: LayerShape, to writer: inout SafetensorsWriter, _ progress: @escaping () -> Void
  ) {
    let (outputs, inputs, kernel) = (shape.outputs, shape.inputs, shape.window ?? 1)
    let panelShape = PackedWeight.panelShape(outputs: outputs, kernel: kernel, inputs: inputs)
    // The scales follow their panels, so that a layer is quantised once.
    let scales = Box([Float]())
    writer.add(PackageNames.panels(path), dtype: .u8, shape: panelShape) { output in
      let packed = try layers.packedWeight(path, shape)
      scales.value = Array(packed.columnScales)
      try output.write(packed.panels)
    }
    writer.add(PackageNames.scales(path), dtype: .f32, shape: [outputs]) { output in
      try scales.value.withUnsafeBytes { try output.write($0) }
      progress()
    }
  }

  private func add(
    _ name: String, _ dtype: DType, _ shape: [Int], to writer: inout SafetensorsWriter,
    _ progress: @escaping () -> Void, _ weight: @escaping () throws -> Weight
  ) {
    writer.add(name, dtype: dtype, shape: shape) { output in
      let weight = try weight()
      precondition(weight.dtype == dtype)
      try output.write(UnsafeRawBufferPointer(start: weight.pointer, count: weight.count * dtype.byteCount))
      layers.release(name)
      progress()
    }
  }
}

/// What one closure leaves for another.
private final class Box<Value> {
  var value: Value
  init(_ value: Value) { self.value = value }
}
