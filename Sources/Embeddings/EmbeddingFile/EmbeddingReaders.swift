import Formats
import Tensors

/// The three containers that hold tensors under names. Pictures have `EmbeddingCard`.
extension EmbeddingContent {
  init(safetensors bytes: [UInt8], path: String) throws {
    let file = try SafetensorsFile(bytes: bytes, path: path)
    container = .safetensors
    metadata = file.metadata
    tensors = file.tensors.values.map { entry in
      let dtype = entry.type.dtype.flatMap { $0.isFloatingPoint ? $0 : nil }
      return Tensor(
        key: entry.name, shape: entry.shape, type: entry.type.rawValue,
        values: dtype.map { dtype in { widened(file.bytes(of: entry), dtype: dtype) } })
    }
  }

  init(gguf bytes: [UInt8], path: String) throws {
    let file = try GGUFFile(bytes: bytes, path: path)
    container = .gguf
    for (key, value) in file.metadata {
      if case .string(let text) = value { metadata[key] = text }
    }
    tensors = file.tensors.values.map { tensor in
      Tensor(key: tensor.name, shape: tensor.shape, type: tensor.type.name) { try file.floats(of: tensor) }
    }
  }

  init(torch bytes: [UInt8], path: String) throws {
    let file = try TorchFile(bytes: bytes, path: path)
    container = .torch
    tensors = []
    switch file.root {
    case .tensor(let tensor):
      layout = .bare
      tensors = [Self.tensor("*", tensor, file)]
    case .list(let parts):
      for part in parts { readDictionary(part, file) }
    default: readDictionary(file.root, file)
    }
  }

  /// A1111's and the paper's files have the vectors in `string_to_param`; others have tensors at the top.
  private mutating func readDictionary(_ value: TorchValue, _ file: TorchFile) {
    guard case .dictionary(let entries) = value else { return }
    if let parameters = value["string_to_param"], case .dictionary(let vectors) = parameters {
      // The paper's code saves these two dictionaries and nothing else.
      layout = value["name"] == nil ? .paper : .a1111
      addTensors(vectors, file)
      if case .string(let text)? = value["name"] { name = text }
    } else {
      addTensors(entries, file)
    }
    for entry in entries {
      guard case .string(let key) = entry.key, key != "name" else { continue }
      switch entry.value {
      case .string(let text): metadata[key] = text
      case .int(let number): metadata[key] = "\(number)"
      default: continue
      }
    }
  }

  private mutating func addTensors(_ entries: [TorchValue.Entry], _ file: TorchFile) {
    for entry in entries {
      if case .string(let key) = entry.key, case .tensor(let tensor) = entry.value {
        tensors.append(Self.tensor(key, tensor, file))
      }
    }
  }

  private static func tensor(_ key: String, _ tensor: TorchTensor, _ file: TorchFile) -> Tensor {
    let values: (() throws -> [Float])? =
      tensor.dtype.isFloatingPoint
      ? { try file.bytes(of: tensor).withUnsafeBytes { widened($0, dtype: tensor.dtype) } } : nil
    return Tensor(key: key, shape: tensor.shape, type: SafetensorsType(tensor.dtype).rawValue, values: values)
  }
}
