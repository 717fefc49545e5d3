import Errors
import Tensors

/// A safetensors file, mapped; the header is checked completely before the first tensor is given.
///
/// Accepts what the reference reader accepts, save duplicate names and a header that does not begin with `{`.
public final class SafetensorsFile: Sendable {
  public let path: String
  /// Text that travels with the tensors; empty when the file has none.
  public let metadata: [String: String]
  public let tensors: [String: TensorEntry]
  private let file: MappedFile

  /// - Throws: `.fileUnavailable` when the file cannot be opened, `.badFile` naming file, tensor and reason when it
  ///   breaks a rule of the format.
  public convenience init(path: String) throws {
    try self.init(MappedFile(path: path))
  }

  /// The same for content that is in memory; `path` stands in messages.
  public convenience init(bytes: [UInt8], path: String) throws {
    try self.init(MappedFile(copying: bytes, path: path))
  }

  init(_ file: MappedFile) throws {
    let path = file.path
    self.path = path
    self.file = file
    do {
      let header = try SafetensorsHeader(file.bytes, path: path)
      self.metadata = header.metadata
      self.tensors = header.tensors
    } catch let fault as SafetensorsFault {
      let place = fault.tensor.map { "'\(path)': tensor '\($0)'" } ?? "'\(path)'"
      throw InversionError(.badFile, "\(place): \(fault.reason); the safetensors file is damaged, get it again")
    }
  }

  /// The entry of a tensor that must be there.
  /// - Throws: `.badModel` naming file and tensor.
  public func entry(_ name: String) throws -> TensorEntry {
    guard let entry = tensors[name] else {
      throw InversionError(.badModel, "'\(path)': no tensor '\(name)'; is this the weights file of that model?")
    }
    return entry
  }

  /// The tensor's bytes, row-major and little-endian, valid as long as this file object lives.
  ///
  /// They need not be aligned to the element: headers written by old tools have any length.
  public func bytes(of entry: TensorEntry) -> UnsafeRawBufferPointer {
    precondition(tensors[entry.name] == entry, "the entry is another file's")
    return UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange])
  }

  public var byteCount: Int { file.bytes.count }

  /// Advises the kernel about one tensor, or about the whole file.
  public func advise(_ advice: MappedFile.Advice, _ entry: TensorEntry? = nil) {
    file.advise(advice, range: entry?.byteRange)
  }
}

extension TensorEntry {
  /// The type of the elements in memory.
  /// - Throws: `.badFile` for the types that the format has and no kernel of ours reads (4- and 6-bit floats, complex
  ///   numbers).
  public var dtype: DType {
    get throws {
      guard let dtype = type.dtype else {
        throw InversionError(
          .badFile,
          "'\(path)': tensor '\(name)': elements of type \(type.rawValue) are not supported; convert the file to F16")
      }
      return dtype
    }
  }

  /// Number of elements.
  public var elementCount: Int { shape.reduce(1, *) }
}
