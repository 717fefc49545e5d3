import Glibc

/// What the file system says of a file: equal stamps, equal content, unless the file was too young to tell.
struct FileStamp: Sendable, Hashable {
  let size: Int64
  let inode: UInt64
  let device: UInt64
  /// Nanoseconds since 1970 of the last change of content and of the inode.
  let modified: Int64
  let changed: Int64

  init(size: Int64, inode: UInt64, device: UInt64, modified: Int64, changed: Int64) {
    (self.size, self.inode, self.device) = (size, inode, device)
    (self.modified, self.changed) = (modified, changed)
  }

  /// Follows links. Nil, with `errno`, when there is no such file.
  init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  init(_ status: stat) {
    self.init(
      size: Int64(status.st_size), inode: UInt64(status.st_ino), device: UInt64(status.st_dev),
      modified: Self.nanoseconds(status.st_mtim), changed: Self.nanoseconds(status.st_ctim))
  }

  /// File systems keep times in ticks of up to two seconds: within that time after a change another one may not show.
  static let longestTick: Int64 = 2_000_000_000

  /// Whether a later change of the content would show in the stamp, on a file system whose times have such a tick.
  func isSettled(tick: Int64) -> Bool {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Self.nanoseconds(now) - max(modified, changed) >= tick
  }

  private static func nanoseconds(_ time: timespec) -> Int64 {
    let (seconds, _) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    return seconds &+ Int64(time.tv_nsec)
  }
}
