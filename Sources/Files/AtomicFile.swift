import Errors
import Glibc

/// Writes files so that a reader sees the old content or the new one, never a part, also across a crash.
public enum AtomicFile {
  /// Temporary files are hidden and end so; a watcher of a folder ignores them, and they may be deleted when stale.
  public static let temporarySuffix = ".inversion-tmp"

  /// Where the content goes; buffered, so that small pieces are cheap.
  public struct Output: ~Copyable {
    let fd: Int32
    let path: String
    /// Bytes written so far.
    public private(set) var count = 0
    private var buffer: [UInt8] = []

    fileprivate init(fd: Int32, path: String) {
      self.fd = fd
      self.path = path
    }

    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
      count += bytes.count
      if bytes.count >= AtomicFile.bufferSize {
        try flush()
        try AtomicFile.writeAll(bytes, to: fd, path: path)
      } else {
        buffer.append(contentsOf: bytes)
        if buffer.count >= AtomicFile.bufferSize { try flush() }
      }
    }

    public mutating func write(_ bytes: [UInt8]) throws {
      try bytes.withUnsafeBytes { try write($0) }
    }

    fileprivate mutating func flush() throws {
      try buffer.withUnsafeBytes { try AtomicFile.writeAll($0, to: fd, path: path) }
      buffer.removeAll(keepingCapacity: true)
    }
  }

  /// Writes a file through `content`: beside the target, synced to disk, then renamed over it.
  ///
  /// An existing file keeps its permissions; a new one gets 0666 less the umask. When `content` throws, or the disk is
  /// full, the target stays as it was and the temporary file is removed.
  /// - Throws: `.fileUnavailable`, or what `content` throws.
  public static func write(path: String, _ content: (inout Output) throws -> Void) throws {
    let (folder, name) = split(path)
    let salt = String(UInt64.random(in: .min ... .max), radix: 36)
    // 255 bytes is the longest name that Linux takes: a long target name must not make the temporary one invalid.
    let temporary = folder + "." + String(decoding: name.utf8.prefix(100), as: UTF8.self) + "." + salt + temporarySuffix
    let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard fd >= 0 else { throw fileError(path, "cannot be written") }
    do {
      defer { close(fd) }
      var status = stat()
      if stat(path, &status) == 0 { fchmod(fd, status.st_mode & 0o7777) }
      var output = Output(fd: fd, path: path)
      try content(&output)
      try output.flush()
      guard fsync(fd) == 0 else { throw fileError(path, "cannot be written to disk") }
      guard rename(temporary, path) == 0 else { throw fileError(path, "cannot be replaced") }
    } catch {
      unlink(temporary)
      throw error
    }
    syncFolder(folder)
  }

  public static func write(_ bytes: [UInt8], path: String) throws {
    try write(path: path) { try $0.write(bytes) }
  }

  private static let bufferSize = 1 << 16

  /// The folder with its slash (empty for the current one) and the last component.
  private static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    return (String(path[...slash]), String(path[path.index(after: slash)...]))
  }

  /// Makes the rename durable. The file is in place already; a folder that cannot be synced is no reason to fail.
  package static func syncFolder(_ folder: String) {
    let fd = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else { return }
    fsync(fd)
    close(fd)
  }

  private static func writeAll(_ bytes: UnsafeRawBufferPointer, to fd: Int32, path: String) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = Glibc.write(fd, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if written < 0 {
        if errno == EINTR { continue }
        throw fileError(path, "cannot be written")
      }
      rest = rest.dropFirst(written)
    }
  }
}
