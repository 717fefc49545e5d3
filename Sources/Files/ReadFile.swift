import Errors
import Glibc

/// The whole content of a small file, such as a config.
/// - Throws: `.fileUnavailable`; `.badFile` when it has more than `limit` bytes.
public func readFile(path: String, limit: Int = 64 << 20) throws -> [UInt8] {
  let file = try openRegularFile(path)
  defer { close(file.fd) }
  var bytes: [UInt8] = []
  // One byte more than the limit, so that a file that grows meanwhile is seen too.
  bytes.reserveCapacity(min(file.size, limit) + 1)
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
  defer { buffer.deallocate() }
  while true {
    let count = read(file.fd, buffer.baseAddress, buffer.count)
    if count < 0 {
      if errno == EINTR { continue }
      throw fileError(path, "cannot be read")
    }
    if count == 0 { return bytes }
    bytes.append(contentsOf: buffer[..<count])
    guard bytes.count <= limit else {
      throw InversionError(.badFile, "'\(path)': larger than \(limit) bytes; give the right file")
    }
  }
}

/// The size of a regular file in bytes.
/// - Throws: `.fileUnavailable`.
package func fileSize(path: String) throws -> Int {
  let file = try openRegularFile(path)
  close(file.fd)
  return file.size
}

/// Whether a file or folder is there and can be looked up.
package func exists(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0
}
