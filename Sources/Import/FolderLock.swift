import Foundation

/// Holds a folder as long as it lives. The kernel drops the lock when the process dies, however it dies.
final class FolderLock: Sendable {
  private let fd: Int32

  /// nil when another process holds the folder, or it is not there.
  init?(_ path: String) {
    let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
      close(fd)
      return nil
    }
    self.fd = fd
  }

  deinit { close(fd) }
}
