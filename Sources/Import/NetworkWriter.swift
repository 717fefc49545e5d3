import Errors
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
      case .layer(let path, let shape):
        let dtype: DType = precision[path] == .f32 ? .f32 : .f16
        addDense("\(path).weight", shape.dimensions, dtype, to: &writer, progress) {
          try layers.denseWeight(path, shape)
        }
      case .vector(let path, let count):
        addDense(path, [count], .f32, to: &writer, progress) { try layers.vector(path, count) }
      case .table(let path, let rows, let columns):
        // Few rows are read, one at a time; those of positions all, so that they are kept as they are computed with.
        let dtype: DType = path.contains("token_embedding") ? .f16 : .f32
        addDense(path, [rows, columns], dtype, to: &writer, progress) { try layers.widenedTable(path, rows, columns) }
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
      layers.release("\(path).weight")
    }
    writer.add(PackageNames.scales(path), dtype: .f32, shape: [outputs]) { output in
      try scales.value.withUnsafeBytes { try output.write($0) }
      progress()
    }
  }

  private func addDense(
    _ name: String, _ shape: [Int], _ dtype: DType, to writer: inout SafetensorsWriter,
    _ progress: @escaping () -> Void, _ weight: @escaping () throws -> Weight
  ) {
    writer.add(name, dtype: dtype, shape: shape) { output in
      let weight = try weight()
      let values = UnsafeBufferPointer(start: weight.pointer.assumingMemoryBound(to: Float.self), count: weight.count)
      if dtype == .f32 {
        try output.write(UnsafeRawBufferPointer(values))
      } else {
        try writeNarrowed(values, name, to: &output)
      }
      layers.release(name)
      progress()
    }
  }

  private func writeNarrowed(
    _ values: UnsafeBufferPointer<Float>, _ name: String, to output: inout AtomicFile.Output
  ) throws {
    let piece = 1 << 16
    for start in stride(from: 0, to: values.count, by: piece) {
      let narrowed = values[start..<min(values.count, start + piece)].map(Float16.init)
      guard narrowed.allSatisfy(\.isFinite) else {
        throw InversionError(
          .badModel,
          "'\(layers.paths.joined(separator: "', '"))': a value of '\(name)' is not finite in f16; give its "
            + "layer f32 in a plan, or get a sound model")
      }
      try narrowed.withUnsafeBytes { try output.write($0) }
    }
  }
}

/// What one closure leaves for another.
private final class Box<Value> {
  var value: Value
  init(_ value: Value) { self.value = value }
}
