import Crypto
import Errors
import Glibc

/// The SHA-256 of `bytes`, 64 lower-case hexadecimal digits.
public func sha256Hex(of bytes: UnsafeRawBufferPointer) -> String {
  var hash = SHA256()
  hash.update(bufferPointer: bytes)
  return hex(hash.finalize())
}

/// The SHA-256 of `bytes`, 64 lower-case hexadecimal digits.
public func sha256Hex(of bytes: [UInt8]) -> String {
  bytes.withUnsafeBytes { sha256Hex(of: $0) }
}

/// The SHA-256 of a file, read in pieces: a checkpoint of gigabytes costs one megabyte of memory.
/// - Throws: `.fileUnavailable`.
public func sha256Hex(ofFile path: String) throws -> String {
  let file = try openRegularFile(path)
  defer { close(file.fd) }
  var hash = SHA256()
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
  defer { buffer.deallocate() }
  while true {
    let count = read(file.fd, buffer.baseAddress, buffer.count)
    if count < 0 {
      if errno == EINTR { continue }
      throw fileError(path, "cannot be read")
    }
    if count == 0 { return hex(hash.finalize()) }
    hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
  }
}

private func hex(_ digest: SHA256.Digest) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
