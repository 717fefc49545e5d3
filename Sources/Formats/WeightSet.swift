import Errors
import Tensors

/// A file of tensors by name, whatever its format; the bytes stay where they are.
protocol WeightSource: Sendable {
  var path: String { get }
  var tensors: [String: TensorEntry] { get }
  /// Row-major, little-endian, perhaps not aligned; valid as long as the source lives.
  func bytes(of entry: TensorEntry) -> UnsafeRawBufferPointer
}

extension SafetensorsFile: WeightSource {}

/// The tensors of one network, from one file or from several shards, looked up by name.
public struct WeightSet: Sendable {
  private let sources: [any WeightSource]
  private let sourceOfTensor: [String: Int]
  /// What to call the set in a message: the file, or the index of the shards.
  private let path: String

  /// Opens a single file: safetensors, or a torch file (`.bin`, `.ckpt`, `.pt`), told by its content.
  /// - Throws: `.fileUnavailable`, `.badFile`.
  public init(path: String) throws {
    try self.init([openWeights(path)])
  }

  /// - Throws: `.badModel` when two files have a tensor of the same name.
  public init(_ files: [SafetensorsFile]) throws {
    try self.init(files as [any WeightSource])
  }

  init(_ sources: [any WeightSource], path: String? = nil) throws {
    self.sources = sources
    self.path = path ?? sources.map(\.path).joined(separator: "', '")
    var sourceOfTensor: [String: Int] = [:]
    for (index, source) in sources.enumerated() {
      for name in source.tensors.keys {
        if let other = sourceOfTensor.updateValue(index, forKey: name) {
          throw InversionError(
            .badModel, "'\(source.path)': tensor '\(name)' is in '\(sources[other].path)' too; get the shards again")
        }
      }
    }
    self.sourceOfTensor = sourceOfTensor
  }

  /// The files, in the order of the shards' names.
  public var paths: [String] { sources.map(\.path) }

  public var names: some Collection<String> { sourceOfTensor.keys }

  /// The entry of `name`; nil when there is none.
  public subscript(name: String) -> TensorEntry? {
    sourceOfTensor[name].flatMap { sources[$0].tensors[name] }
  }

  /// The entry of a tensor that must be there.
  /// - Throws: `.badModel` naming the set and the tensor.
  public func entry(_ name: String) throws -> TensorEntry {
    guard let entry = self[name] else {
      throw InversionError(
        .badModel, "'\(path)': no tensor '\(name)'; are these the weights that the config describes?")
    }
    return entry
  }

  /// The tensor's bytes, row-major and little-endian, perhaps not aligned; valid as long as this set or a copy of it
  /// lives.
  public func bytes(of entry: TensorEntry) -> UnsafeRawBufferPointer {
    guard let index = sourceOfTensor[entry.name] else { preconditionFailure("the entry is another set's") }
    return sources[index].bytes(of: entry)
  }
}

/// Opens a file of weights by what its first bytes show.
func openWeights(_ path: String) throws -> any WeightSource {
  let file = try MappedFile(path: path)
  if TorchFile.isOne(file.bytes) { return try TorchWeights(TorchFile(file)) }
  return try SafetensorsFile(file)
}
