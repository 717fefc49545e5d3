import Errors

/// A tensor of a GGUF file.
public struct GGUFTensor: Sendable, Hashable {
  public let name: String
  public let type: GGUFType
  /// Row-major, the reverse of the file's order; what it was before a tool flattened it for quantising.
  public let shape: [Int]
  /// Where its blocks are in the file.
  public let byteRange: Range<Int>

  public var elementCount: Int { shape.reduce(1, *) }
}

/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable, Equatable {
  case integer(Int64)
  /// Over 63 bits.
  case unsigned(UInt64)
  case float(Double)
  case bool(Bool)
  case string(String)
  case array([GGUFValue])
}

/// A GGUF file (versions 2 and 3), as stable-diffusion.cpp and ComfyUI-GGUF write them, mapped; its directory is
/// checked completely before the first tensor is given.
public final class GGUFFile: Sendable {
  public let path: String
  public let metadata: [String: GGUFValue]
  public let tensors: [String: GGUFTensor]
  private let file: MappedFile

  /// - Throws: `.fileUnavailable`; `.badFile` naming the file and the reason.
  public convenience init(path: String) throws {
    try self.init(MappedFile(path: path))
  }

  /// The same for content that is in memory; `path` stands in messages.
  public convenience init(bytes: [UInt8], path: String) throws {
    try self.init(MappedFile(copying: bytes, path: path))
  }

  init(_ file: MappedFile) throws {
    path = file.path
    self.file = file
    do {
      let directory = try GGUFDirectory(file.bytes)
      metadata = directory.metadata
      tensors = directory.tensors
    } catch let fault as FormatFault {
      throw InversionError(.badFile, "'\(file.path)': \(fault.reason); get the GGUF file again")
    }
  }

  /// Whether the first bytes are a GGUF file's.
  static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: GGUFDirectory.magic) }

  /// The tensor's blocks as they are stored.
  public func bytes(of tensor: GGUFTensor) -> UnsafeRawBufferPointer {
    precondition(tensors[tensor.name] == tensor, "the tensor is another file's")
    return UnsafeRawBufferPointer(rebasing: file.bytes[tensor.byteRange])
  }

  /// The tensor's elements, widened or dequantised, row-major.
  /// - Throws: `.badFile` for a type that is not read (K-quants, integers).
  public func floats(of tensor: GGUFTensor) throws -> [Float] {
    guard let floats = tensor.type.floats(bytes(of: tensor)) else {
      throw InversionError(
        .badFile,
        "'\(path)': tensor '\(tensor.name)': elements of type \(tensor.type.name) are not supported; "
          + "get the file in F16 or Q8_0")
    }
    return floats
  }
}

/// The part of a GGUF file before the tensors' bytes.
struct GGUFDirectory {
  private(set) var metadata: [String: GGUFValue] = [:]
  private(set) var tensors: [String: GGUFTensor] = [:]

  static let magic = Array("GGUF".utf8)
  private static let countLimit = 1 << 17
  /// ggml's limit on dimensions.
  private static let rankLimit = 4
  private static let defaultAlignment = 32

  init(_ bytes: UnsafeRawBufferPointer) throws {
    var reader = ByteReader(bytes)
    guard try reader.piece(4).elementsEqual(Self.magic) else { throw FormatFault("not a GGUF file: bad magic") }
    let version = try reader.integer(UInt32.self)
    guard version == 2 || version == 3 else { throw FormatFault("GGUF version \(version) is not supported") }
    let tensorCount = try Self.count(&reader, "tensors")
    let valueCount = try Self.count(&reader, "metadata values")
    for _ in 0..<valueCount {
      let key = try Self.string(&reader)
      let value = try Self.value(&reader, type: try reader.integer(UInt32.self), isElement: false)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw FormatFault("metadata '\(key)' is there twice")
      }
    }
    let alignment = try readAlignment()
    var entries: [Entry] = []
    for _ in 0..<tensorCount { entries.append(try Entry(&reader)) }
    guard let dataStart = Self.aligned(reader.offset, alignment), dataStart <= bytes.count || entries.isEmpty else {
      throw FormatFault("truncated: no tensor data")
    }
    try place(entries, dataStart: dataStart, alignment: alignment, fileSize: bytes.count)
  }

  private static func count(_ reader: inout ByteReader, _ what: String) throws -> Int {
    let count = try reader.count()
    guard count <= countLimit else { throw FormatFault("too large: \(count) \(what)") }
    return count
  }

  fileprivate static func string(_ reader: inout ByteReader) throws -> String {
    try reader.text(try reader.count())
  }

  private static func value(_ reader: inout ByteReader, type: UInt32, isElement: Bool) throws -> GGUFValue {
    switch type {
    case 0: return .integer(Int64(try reader.integer(UInt8.self)))
    case 1: return .integer(Int64(try reader.integer(Int8.self)))
    case 2: return .integer(Int64(try reader.integer(UInt16.self)))
    case 3: return .integer(Int64(try reader.integer(Int16.self)))
    case 4: return .integer(Int64(try reader.integer(UInt32.self)))
    case 5: return .integer(Int64(try reader.integer(Int32.self)))
    case 6: return .float(Double(Float(bitPattern: try reader.integer(UInt32.self))))
    case 7:
      let byte = try reader.integer(UInt8.self)
      guard byte <= 1 else { throw FormatFault("a truth value of \(byte)") }
      return .bool(byte == 1)
    case 8: return .string(try string(&reader))
    case 9 where !isElement:
      let elementType = try reader.integer(UInt32.self)
      let count = try reader.count()
      // No element has less than a byte.
      guard count <= reader.remaining else { throw FormatFault("truncated: an array of \(count) values") }
      return .array(try (0..<count).map { _ in try value(&reader, type: elementType, isElement: true) })
    case 10:
      let number = try reader.integer(UInt64.self)
      return Int64(exactly: number).map { .integer($0) } ?? .unsigned(number)
    case 11: return .integer(try reader.integer(Int64.self))
    case 12: return .float(Double(bitPattern: try reader.integer(UInt64.self)))
    default: throw FormatFault("metadata of type \(type) is not supported")
    }
  }

  private func readAlignment() throws -> Int {
    guard let value = metadata["general.alignment"] else { return Self.defaultAlignment }
    guard case .integer(let number) = value, number > 0, number <= 1 << 20, number & (number - 1) == 0 else {
      throw FormatFault("its 'general.alignment' is no power of two")
    }
    return Int(number)
  }

  private static func aligned(_ offset: Int, _ alignment: Int) -> Int? {
    let (sum, overflow) = offset.addingReportingOverflow(alignment - 1)
    return overflow ? nil : sum / alignment * alignment
  }

  /// A tensor's entry as it stands in the file.
  private struct Entry {
    let name: String
    /// Row-major.
    let shape: [Int]
    let type: GGUFType
    let offset: Int
    let byteCount: Int

    init(_ reader: inout ByteReader) throws {
      let name = try string(&reader)
      func fault(_ reason: String) -> FormatFault { FormatFault("tensor '\(name)': \(reason)") }
      let rank = Int(try reader.integer(UInt32.self))
      guard rank <= rankLimit else { throw fault("\(rank) dimensions are too many") }
      var sizes: [Int] = []
      for _ in 0..<rank { sizes.append(try reader.count()) }
      let number = try reader.integer(UInt32.self)
      guard let type = GGUFType(rawValue: number) else { throw fault("elements of type \(number) are unknown") }
      guard (sizes.first ?? 1) % type.blockCount == 0 else {
        throw fault("rows of \(sizes.first ?? 1) are no multiple of \(type.name)'s blocks")
      }
      var elements = 1
      for size in sizes {
        let (product, overflow) = elements.multipliedReportingOverflow(by: size)
        guard !overflow else { throw fault("shape \(sizes) overflows") }
        elements = product
      }
      let (bytes, overflow) = (elements / type.blockCount).multipliedReportingOverflow(by: type.blockBytes)
      guard !overflow else { throw fault("shape \(sizes) overflows") }
      self.name = name
      shape = sizes.reversed()
      self.type = type
      byteCount = bytes
      offset = try reader.count()
    }
  }

  /// Checks that the tensors lie aligned in the file and apart from each other.
  private mutating func place(_ entries: [Entry], dataStart: Int, alignment: Int, fileSize: Int) throws {
    var end = 0
    for entry in entries.sorted(by: { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }) {
      func fault(_ reason: String) -> FormatFault { FormatFault("tensor '\(entry.name)': \(reason)") }
      guard entry.offset % alignment == 0 else { throw fault("misaligned offset \(entry.offset)") }
      guard entry.offset <= fileSize - dataStart, entry.byteCount <= fileSize - dataStart - entry.offset else {
        throw fault("its bytes are out of bounds; the file is truncated")
      }
      guard entry.offset >= end || entry.byteCount == 0 else { throw fault("its bytes overlap another tensor's") }
      end = max(end, entry.offset + entry.byteCount)
      let start = dataStart + entry.offset
      let tensor = GGUFTensor(
        name: entry.name, type: entry.type, shape: originalShape(of: entry), byteRange: start..<start + entry.byteCount)
      guard tensors.updateValue(tensor, forKey: entry.name) == nil else { throw fault("the name is there twice") }
    }
  }

  /// ComfyUI-GGUF flattens tensors whose rows do not fit the blocks, and notes what they were.
  private func originalShape(of entry: Entry) -> [Int] {
    guard case .array(let values)? = metadata["comfy.gguf.orig_shape.\(entry.name)"] else { return entry.shape }
    var count = 1
    var shape: [Int] = []
    for value in values {
      guard case .integer(let size) = value, size >= 0 else { return entry.shape }
      let (product, overflow) = count.multipliedReportingOverflow(by: Int(size))
      if overflow { return entry.shape }
      count = product
      shape.append(Int(size))
    }
    return count == entry.shape.reduce(1, *) ? shape : entry.shape
  }
}
