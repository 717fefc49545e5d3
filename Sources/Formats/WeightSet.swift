import Errors
import Tensors

/// The tensors of one network, from one file or from several shards, looked up by name.
public struct WeightSet: Sendable {
  /// In the order of the shards' names.
  public let files: [SafetensorsFile]
  private let fileOfTensor: [String: Int]
  /// What to call the set in a message: the file, or the index of the shards.
  private let path: String

  /// - Throws: `.badModel` when two files have a tensor of the same name.
  public init(_ files: [SafetensorsFile], path: String? = nil) throws {
    self.files = files
    self.path = path ?? files.map(\.path).joined(separator: "', '")
    var fileOfTensor: [String: Int] = [:]
    for (index, file) in files.enumerated() {
      for name in file.tensors.keys {
        if let other = fileOfTensor.updateValue(index, forKey: name) {
          throw InversionError(
            .badModel, "'\(file.path)': tensor '\(name)' is in '\(files[other].path)' too; get the shards again")
        }
      }
    }
    self.fileOfTensor = fileOfTensor
  }

  public var names: some Collection<String> { fileOfTensor.keys }

  /// The entry of `name`; nil when there is none.
  public subscript(name: String) -> TensorEntry? {
    fileOfTensor[name].flatMap { files[$0].tensors[name] }
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
    guard let index = fileOfTensor[entry.name] else { preconditionFailure("the entry is another set's") }
    return files[index].bytes(of: entry)
  }
}
