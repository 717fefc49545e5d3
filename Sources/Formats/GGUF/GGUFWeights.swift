/// A GGUF file as a source of weights: floats where they are mapped, quantised tensors widened to f32 when asked for.
final class GGUFWeights: WeightSource {
  let tensors: [String: TensorEntry]
  var path: String { file.path }
  private let file: GGUFFile

  init(_ file: GGUFFile) {
    self.file = file
    tensors = file.tensors.mapValues { tensor in
      TensorEntry(
        name: tensor.name, type: tensor.type.storedType ?? .f32, shape: tensor.shape, byteRange: tensor.byteRange,
        path: file.path)
    }
  }

  func contents(of entry: TensorEntry) throws -> TensorContents {
    let tensor = tensor(of: entry)
    guard tensor.type.storedType == nil else { return TensorContents(file.bytes(of: tensor), owner: file) }
    return TensorContents(copying: try file.floats(of: tensor))
  }

  func release(_ entry: TensorEntry) { adviseMapped(file.bytes(of: tensor(of: entry)), .dontNeed) }

  private func tensor(of entry: TensorEntry) -> GGUFTensor {
    guard tensors[entry.name] == entry, let tensor = file.tensors[entry.name] else {
      preconditionFailure("the entry is another file's")
    }
    return tensor
  }
}

extension GGUFType {
  /// The element type of tensors that stand in the file as they are needed; nil for those in blocks.
  fileprivate var storedType: SafetensorsType? {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .f64: .f64
    case .i8: .i8
    case .i16: .i16
    case .i32: .i32
    case .i64: .i64
    default: nil
    }
  }
}
