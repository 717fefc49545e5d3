import StrictJSON

/// A tensor of a safetensors file, as its header describes it.
public struct TensorEntry: Sendable, Hashable {
  public let name: String
  public let type: SafetensorsType
  /// Row-major; empty for a scalar.
  public let shape: [Int]
  /// Where its bytes are in the file.
  public let byteRange: Range<Int>
  /// The file, for messages.
  public let path: String
}

/// The header of a safetensors file: u64 length (little-endian), a JSON object, then the tensors' bytes without holes.
struct SafetensorsHeader {
  /// The reference reader's limit on the JSON text, in bytes.
  static let lengthLimit = 100_000_000
  static let prefixLength = 8

  var metadata: [String: String] = [:]
  var tensors: [String: TensorEntry] = [:]

  /// Parses and checks the header of a file of `bytes`.
  /// - Throws: `SafetensorsFault` with the tensor, when there is one, and the reason.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws {
    guard bytes.count >= Self.prefixLength else {
      throw SafetensorsFault("\(bytes.count) bytes long, too short for a header")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= Self.lengthLimit else {
      throw SafetensorsFault("header of \(length) bytes is over the limit of \(Self.lengthLimit)")
    }
    let dataStart = Self.prefixLength + Int(length)
    guard dataStart <= bytes.count else {
      throw SafetensorsFault("truncated: header of \(length) bytes in a file of \(bytes.count)")
    }
    // A copy: another process that writes into the file must not change what has been checked.
    let text = Array(bytes[Self.prefixLength..<dataStart])
    guard text.first == UInt8(ascii: "{") else { throw SafetensorsFault("header does not begin with '{'") }
    do {
      try parse(text, dataStart: dataStart, path: path)
    } catch let error as JSONError {
      throw SafetensorsFault("invalid JSON in the header: \(error)")
    }
    try checkTiling(dataStart: dataStart, fileSize: bytes.count)
  }

  private mutating func parse(_ text: [UInt8], dataStart: Int, path: String) throws {
    var scanner = try JSONScanner(text)
    var entries: [String: TensorEntry] = [:]
    var metadata: [String: String] = [:]
    try scanner.object { scanner, name in
      if name == "__metadata__" {
        if !scanner.takeNull() {
          try scanner.object { scanner, key in metadata[key] = try scanner.string() }
        }
      } else {
        let entry = try RawEntry(&scanner, name: name).checked(name: name, dataStart: dataStart, path: path)
        guard entries.updateValue(entry, forKey: name) == nil else {
          throw SafetensorsFault("two names that differ only in their Unicode form", tensor: name)
        }
      }
    }
    try scanner.end()
    self.tensors = entries
    self.metadata = metadata
  }

  /// Sorted by offset, the tensors must cover the data exactly: a file that passes hides no bytes.
  private func checkTiling(dataStart: Int, fileSize: Int) throws {
    var expected = dataStart
    let sorted = tensors.values.sorted {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    for entry in sorted {
      guard entry.byteRange.lowerBound == expected else {
        let what = entry.byteRange.lowerBound > expected ? "hole before its bytes" : "bytes overlap another tensor's"
        throw SafetensorsFault(what, tensor: entry.name)
      }
      guard entry.byteRange.upperBound <= fileSize else {
        let missing = entry.byteRange.upperBound - fileSize
        throw SafetensorsFault("truncated: \(missing) bytes are missing", tensor: entry.name)
      }
      expected = entry.byteRange.upperBound
    }
    guard expected == fileSize else {
      throw SafetensorsFault("\(fileSize - expected) bytes after the last tensor")
    }
  }
}

/// Why a safetensors file was refused; the file's name comes with the `InversionError` that it becomes.
struct SafetensorsFault: Error {
  let reason: String
  let tensor: String?

  init(_ reason: String, tensor: String? = nil) {
    self.reason = reason
    self.tensor = tensor
  }
}

/// The fields of a tensor's entry, before they are checked against each other.
private struct RawEntry {
  var type: String?
  var shape: [UInt64]?
  var offsets: [UInt64]?

  /// Reads the entry; unknown fields are skipped, as the reference reader does.
  init(_ scanner: inout JSONScanner, name: String) throws {
    var fields = (type: String?.none, shape: [UInt64]?.none, offsets: [UInt64]?.none)
    try scanner.object { scanner, key in
      switch key {
      case "dtype": fields.type = try scanner.string()
      case "shape": fields.shape = try Self.integers(&scanner)
      case "data_offsets": fields.offsets = try Self.integers(&scanner)
      default: try scanner.skipValue()
      }
    }
    (type, shape, offsets) = fields
  }

  private static func integers(_ scanner: inout JSONScanner) throws -> [UInt64] {
    var values: [UInt64] = []
    try scanner.array { scanner in values.append(try scanner.unsignedInteger()) }
    return values
  }

  func checked(name: String, dataStart: Int, path: String) throws -> TensorEntry {
    func fault(_ reason: String) -> SafetensorsFault { SafetensorsFault(reason, tensor: name) }
    guard let type else { throw fault("no 'dtype'") }
    guard let shape else { throw fault("no 'shape'") }
    guard let offsets else { throw fault("no 'data_offsets'") }
    guard let type = SafetensorsType(rawValue: type) else { throw fault("unknown dtype '\(type)'") }
    guard offsets.count == 2 else { throw fault("'data_offsets' of \(offsets.count), not of 2 numbers") }
    guard offsets[0] <= offsets[1] else { throw fault("'data_offsets' end before they begin") }

    let dimensions = shape.compactMap(Int.init(exactly:))
    guard dimensions.count == shape.count, let byteCount = type.byteCount(shape: dimensions) else {
      throw fault("shape \(shape) overflows or does not end on a byte")
    }
    guard offsets[1] - offsets[0] == UInt64(byteCount) else {
      throw fault("\(offsets[1] - offsets[0]) bytes for shape \(shape) of \(type.rawValue), which needs \(byteCount)")
    }
    guard let begin = Int(exactly: offsets[0]), let end = Int(exactly: offsets[1]), end <= Int.max - dataStart else {
      throw fault("'data_offsets' over 63 bits")
    }
    return TensorEntry(
      name: name, type: type, shape: dimensions, byteRange: dataStart + begin..<dataStart + end, path: path)
  }
}
