import CZlib

/// Why compressed bytes were refused.
public enum InflateError: Error, Sendable, Equatable, CustomStringConvertible {
  case damaged
  case truncated
  /// They stand for more bytes than the caller's limit: a decompression bomb, or the wrong limit.
  case tooLarge(limit: Int)

  public var description: String {
    switch self {
    case .damaged: "damaged compressed data"
    case .truncated: "truncated compressed data"
    case .tooLarge(let limit): "compressed data of more than \(limit) bytes"
    }
  }
}

/// How the compressed bytes are wrapped.
public enum DeflateFormat: Sendable {
  /// With zlib's header and checksum, as in PNG.
  case zlib
  /// Without any, as in zip.
  case raw

  fileprivate var windowBits: Int32 { self == .zlib ? MAX_WBITS : -MAX_WBITS }
}

/// Decompresses `bytes`, and stops as soon as the result would be longer than `limit`.
///
/// Bytes after the end of the compressed stream are ignored.
public func inflate(_ bytes: [UInt8], format: DeflateFormat = .zlib, limit: Int) throws(InflateError) -> [UInt8] {
  var stream = z_stream()
  let structSize = Int32(MemoryLayout<z_stream>.size)
  guard inflateInit2_(&stream, format.windowBits, ZLIB_VERSION, structSize) == Z_OK else { throw .damaged }
  defer { inflateEnd(&stream) }
  var out: [UInt8] = []
  var offset = 0
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let step = step(&stream, bytes, &offset, &chunk)
    guard out.count + step.produced <= limit else { throw .tooLarge(limit: limit) }
    out.append(contentsOf: chunk[..<step.produced])
    switch step.status {
    case Z_STREAM_END: return out
    case Z_OK where step.produced > 0 || offset < bytes.count: continue
    case Z_OK, Z_BUF_ERROR: throw .truncated
    default: throw .damaged
    }
  }
}

/// Feeds the rest of `bytes`, and fills at most one chunk.
private func step(
  _ stream: inout z_stream, _ bytes: [UInt8], _ offset: inout Int, _ chunk: inout [UInt8]
) -> (status: Int32, produced: Int) {
  // zlib counts in 32 bits.
  let available = min(bytes.count - offset, Int(UInt32.max))
  let capacity = chunk.count
  let status = bytes.withUnsafeBufferPointer { input in
    chunk.withUnsafeMutableBufferPointer { output in
      stream.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0 + offset) }
      stream.avail_in = UInt32(available)
      stream.next_out = output.baseAddress
      stream.avail_out = UInt32(capacity)
      return CZlib.inflate(&stream, Z_NO_FLUSH)
    }
  }
  offset += available - Int(stream.avail_in)
  return (status, capacity - Int(stream.avail_out))
}

/// The CRC-32 that PNG and zip use; of bytes behind others whose checksum is `before`.
public func crc32(_ bytes: UnsafeRawBufferPointer, after before: UInt32 = 0) -> UInt32 {
  var checksum = UInt(before)
  var rest = bytes[...]
  while !rest.isEmpty {
    let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Int(UInt32.max)))
    checksum = CZlib.crc32(checksum, piece.bindMemory(to: UInt8.self).baseAddress, UInt32(piece.count))
    rest = rest.dropFirst(piece.count)
  }
  return UInt32(checksum)
}

public func crc32(_ bytes: [UInt8]) -> UInt32 {
  bytes.withUnsafeBytes { crc32($0) }
}
