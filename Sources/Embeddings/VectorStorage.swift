import Formats
import Zlib

/// Where an embedding's vectors are.
enum VectorStorage: Sendable {
  case memory([Float])
  /// In a pack: read whenever they are asked for, so that ten thousand embeddings cost next to no memory.
  case packed(VectorPack, start: Int, count: Int)

  var count: Int {
    switch self {
    case .memory(let vectors): vectors.count
    case .packed(_, _, let count): count
    }
  }

  var floats: [Float] {
    switch self {
    case .memory(let vectors): vectors
    case .packed(let pack, let start, let count): pack.floats(start..<start + count)
    }
  }

  /// Floats that are kept in memory for it.
  var residentCount: Int {
    if case .memory(let vectors) = self { vectors.count } else { 0 }
  }
}

/// A file of nothing but little-endian f32, mapped; only this program writes it, and never in place.
final class VectorPack: Sendable {
  let name: String
  let count: Int
  /// Of the whole file.
  let checksum: UInt32
  private let file: MappedFile

  /// - Throws: what mapping throws; `FormatFault` when the file is not the one that is described.
  init(folder: String, name: String, count: Int, checksum: UInt32) throws {
    file = try MappedFile(path: "\(folder)/\(name)")
    guard file.bytes.count == count * MemoryLayout<Float>.size, checksum == Self.checksum(of: file.bytes) else {
      throw FormatFault("another pack of vectors than the index tells of")
    }
    // Reading it has brought all of it into memory.
    file.advise(.dontNeed)
    (self.name, self.count, self.checksum) = (name, count, checksum)
  }

  func floats(_ range: Range<Int>) -> [Float] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return range.map { index in
      let bits = file.bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Float>.size, as: UInt32.self)
      return Float(bitPattern: UInt32(littleEndian: bits))
    }
  }

  static func checksum(of bytes: UnsafeRawBufferPointer) -> UInt32 { crc32(bytes) }

  /// The checksum of some bytes and then these.
  static func checksum(_ before: UInt32, of bytes: UnsafeRawBufferPointer) -> UInt32 { crc32(bytes, after: before) }
}
