import Errors
import Tensors

/// A file of tensors by name, whatever its format; the bytes stay where they are.
protocol WeightSource: Sendable {
  var path: String { get }
  var tensors: [String: TensorEntry] { get }
  /// - Throws: `.badFile` for elements that the format's reader does not widen.
  func contents(of entry: TensorEntry) throws -> TensorContents
  /// The tensor's pages in memory may go; they are read again when they are touched.
  func release(_ entry: TensorEntry)
}

extension SafetensorsFile: WeightSource {
  func contents(of entry: TensorEntry) -> TensorContents { TensorContents(bytes(of: entry), owner: self) }

  func release(_ entry: TensorEntry) { advise(.dontNeed, entry) }
}

/// The elements of a tensor, row-major and little-endian, perhaps not aligned.
public final class TensorContents: Sendable {
  /// Valid as long as this object lives.
  public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
  /// The mapping of which they are a part; nil where they are a copy.
  private let owner: (any AnyObject & Sendable)?

  init(_ bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
    self.bytes = bytes
    self.owner = owner
  }

  /// A copy, of elements that are not stored as they are needed.
  init(copying floats: [Float]) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: floats.count * 4, alignment: 64)
    floats.withUnsafeBytes { copy.copyMemory(from: $0) }
    bytes = UnsafeRawBufferPointer(copy)
    owner = nil
  }

  deinit { if owner == nil { bytes.deallocate() } }
}

/// The tensors of one network, from one file or from several shards, looked up by name.
public struct WeightSet: Sendable {
  private let sources: [any WeightSource]
  private let sourceOfTensor: [String: Int]
  /// What to call the set in a message: the file, or the index of the shards.
  private let path: String

  /// Opens a single file: safetensors, GGUF, or a torch file (`.bin`, `.ckpt`, `.pt`), told by its content.
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

  /// The tensor's elements, in the file where they are stored as `entry` says, else widened to it.
  /// - Throws: `.badFile` for a quantisation that is not read.
  public func contents(of entry: TensorEntry) throws -> TensorContents {
    try source(of: entry).contents(of: entry)
  }

  /// Lets the tensor's pages go, so that reading a model of gigabytes one tensor after the other takes little memory.
  public func release(_ entry: TensorEntry) { source(of: entry).release(entry) }

  private func source(of entry: TensorEntry) -> any WeightSource {
    guard let index = sourceOfTensor[entry.name] else { preconditionFailure("the entry is another set's") }
    return sources[index]
  }
}

/// Opens a file of weights by what its first bytes show.
func openWeights(_ path: String) throws -> any WeightSource {
  let file = try MappedFile(path: path)
  if TorchFile.isOne(file.bytes) { return try TorchWeights(TorchFile(file)) }
  if GGUFFile.isOne(file.bytes) { return try GGUFWeights(GGUFFile(file)) }
  if let what = ForeignContent.described(file.bytes) { throw InversionError(.badFile, "'\(path)': \(what)") }
  guard
    path.hasSuffix(".safetensors") || file.bytes.dropFirst(SafetensorsHeader.prefixLength).first == UInt8(ascii: "{")
  else {
    throw InversionError(.badFile, "'\(path)': neither safetensors nor a file of torch or GGUF; get it again")
  }
  return try SafetensorsFile(file)
}
