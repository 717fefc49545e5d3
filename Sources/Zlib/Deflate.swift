import CZlib

/// Compresses `bytes` with zlib's header and checksum, as small as zlib can.
public func deflate(_ bytes: [UInt8]) -> [UInt8] {
  var size = compressBound(UInt(bytes.count))
  let out = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
    let status = compress2(buffer.baseAddress, &size, bytes, UInt(bytes.count), Z_BEST_COMPRESSION)
    precondition(status == Z_OK, "the buffer has zlib's own bound")
    count = Int(size)
  }
  return out
}
