#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Memory in a file without a name: the system writes it out where there is too little memory, as it swaps, and forgets
/// it when it is given back.
enum SpillFile {
  /// Not /tmp, which often is memory itself.
  private static var folder: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp" }

  /// Bytes that this process may write; 0 without a folder for temporary files.
  static var roomOnDisk: Int {
    var disk = statvfs()
    guard access(folder, W_OK) == 0, statvfs(folder, &disk) == 0 else { return 0 }
    return Int(disk.f_bavail) * Int(disk.f_frsize)
  }

  /// Maps `byteCount` fresh bytes; nil where there is no room on the disk or no folder for temporary files.
  static func map(byteCount: Int) -> UnsafeMutableRawPointer? {
    var template = Array("\(folder)/inversion-XXXXXX".utf8CString)
    let fd = mkstemp(&template)
    guard fd >= 0 else { return nil }
    _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
    defer { close(fd) }
    unlink(template)
    // Room is taken now, so that a full disk shows here and not as a signal at the first write.
    guard posix_fallocate(fd, 0, byteCount) == 0 else { return nil }
    let mapped = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    return mapped == MAP_FAILED ? nil : mapped
  }

  static func unmap(_ pointer: UnsafeMutableRawPointer, byteCount: Int) { munmap(pointer, byteCount) }
}
