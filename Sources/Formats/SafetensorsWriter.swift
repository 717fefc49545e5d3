import Errors
import StrictJSON
import Tensors

/// Collects tensors and writes them as one safetensors file.
public struct SafetensorsWriter {
  /// Where tensors stand in the file.
  public enum Layout: Sendable {
    /// As the reference writer has them: sorted by descending element type, then by name; the header padded with
    /// spaces so that the data begins at a multiple of `alignment`. Data has no holes, so that a later tensor is
    /// aligned only when the sizes before it are multiples of it.
    case reference(alignment: Int)
    /// For mapping: in the order in which they were added, large ones at the start of a page, the others at multiples
    /// of 64 bytes. The format allows no holes: tensors of bytes named `fillerPrefix` and a number fill them.
    case mapped
  }

  /// How the names of tensors that only fill a hole begin.
  public static let fillerPrefix = "filler."
  /// A tensor of this many bytes gets pages of its own.
  private static let largeByteCount = 1 << 16
  private static let pageSize = 4096
  private static let cacheLine = 64

  private struct Item {
    let name: String
    let type: SafetensorsType
    let shape: [Int]
    let byteCount: Int
    let content: (inout AtomicFile.Output) throws -> Void
  }

  /// Text that travels with the tensors; written in the order of its keys.
  public var metadata: [String: String]
  private let layout: Layout
  private var items: [Item] = []
  private var names: Set<String> = []

  public init(metadata: [String: String] = [:], layout: Layout = .reference(alignment: 8)) {
    if case .reference(let alignment) = layout { precondition(alignment >= 8 && alignment % 8 == 0) }
    self.metadata = metadata
    self.layout = layout
  }

  /// Adds a tensor whose bytes (row-major, little-endian) are produced only while the file is written, so that a model
  /// of gigabytes never stands in memory. `content` must write exactly the bytes that dtype and shape ask for.
  public mutating func add(
    _ name: String, dtype: DType, shape: [Int], content: @escaping (inout AtomicFile.Output) throws -> Void
  ) {
    let type = SafetensorsType(dtype)
    precondition(shape.allSatisfy { $0 >= 0 } && name != "__metadata__" && names.insert(name).inserted)
    guard let byteCount = type.byteCount(shape: shape) else { preconditionFailure("shape \(shape) overflows") }
    items.append(Item(name: name, type: type, shape: shape, byteCount: byteCount, content: content))
  }

  /// Adds a tensor of bytes in memory.
  public mutating func add(_ name: String, dtype: DType, shape: [Int], bytes: [UInt8]) {
    precondition(SafetensorsType(dtype).byteCount(shape: shape) == bytes.count)
    add(name, dtype: dtype, shape: shape) { try $0.write(bytes) }
  }

  /// Adds an f32 tensor.
  public mutating func add(_ name: String, shape: [Int], values: [Float]) {
    add(name, dtype: .f32, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
  }

  /// Writes the file beside `path`, syncs and renames it.
  /// - Throws: `.fileUnavailable`; the file that was there before stays.
  public func write(to path: String) throws {
    let (placed, alignment) = placed()
    try AtomicFile.write(path: path) { output in
      try output.write(header(placed, alignment))
      for item in placed {
        let end = output.count + item.byteCount
        try item.content(&output)
        precondition(output.count == end, "tensor '\(item.name)' must write \(item.byteCount) bytes")
      }
    }
  }

  /// The tensors in the order of the file, fillers among them, and the alignment of the first.
  private func placed() -> ([Item], alignment: Int) {
    guard case .reference(let alignment) = layout else { return (filled(), Self.pageSize) }
    return (items.sorted { ($1.type.rank, $0.name.utf8Order) < ($0.type.rank, $1.name.utf8Order) }, alignment)
  }

  private func filled() -> [Item] {
    var placed: [Item] = []
    var end = 0
    for item in items {
      let alignment = item.byteCount >= Self.largeByteCount ? Self.pageSize : Self.cacheLine
      let hole = (alignment - end % alignment) % alignment
      if hole > 0 {
        placed.append(
          Item(name: "\(Self.fillerPrefix)\(placed.count)", type: .u8, shape: [hole], byteCount: hole) {
            try $0.write([UInt8](repeating: 0, count: hole))
          })
      }
      placed.append(item)
      end += hole + item.byteCount
    }
    return placed
  }

  private func header(_ placed: [Item], _ alignment: Int) -> [UInt8] {
    var fields: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key.utf8Order < $1.key.utf8Order }
      let text = pairs.map { "\(jsonLiteral($0.key)):\(jsonLiteral($0.value))" }.joined(separator: ",")
      fields.append("\"__metadata__\":{\(text)}")
    }
    var begin = 0
    for item in placed {
      let shape = item.shape.map(String.init).joined(separator: ",")
      let end = begin + item.byteCount
      fields.append(
        "\(jsonLiteral(item.name)):{\"dtype\":\"\(item.type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(begin),\(end)]}")
      begin = end
    }
    var text = Array("{\(fields.joined(separator: ","))}".utf8)
    let prefix = SafetensorsHeader.prefixLength
    let aligned = (prefix + text.count + alignment - 1) / alignment * alignment
    text += [UInt8](repeating: UInt8(ascii: " "), count: aligned - prefix - text.count)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }
}

/// Compares strings by their bytes, as Rust does; Swift's own order is by Unicode's canonical form.
private struct UTF8Order: Comparable {
  let text: String
  static func < (a: UTF8Order, b: UTF8Order) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
  static func == (a: UTF8Order, b: UTF8Order) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
}

extension String {
  fileprivate var utf8Order: UTF8Order { UTF8Order(text: self) }
}
