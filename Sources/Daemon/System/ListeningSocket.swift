import CSystemd
import Errors
import Glibc

/// A listening Unix socket: one of our own on a path, or one that the service manager has opened for us.
public struct ListeningSocket: ~Copyable {
  private enum Origin {
    case inherited
    /// The lock keeps a second daemon away for as long as its descriptor is open.
    case own(path: String, inode: ino_t, lock: CInt)
  }

  /// Whoever takes it closes it.
  public let descriptor: CInt
  private let origin: Origin

  var isInherited: Bool {
    if case .inherited = origin { true } else { false }
  }

  /// The bytes of a path that the kernel takes, without the final zero.
  public static let pathLimit = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

  /// Takes the socket that the service manager passes (LISTEN_FDS), and removes the variables, so that no child
  /// believes them.
  /// - Returns: nil when none was passed.
  /// - Throws: `.invalidArgument` when it is another number of sockets than one, or none of a kind to serve on.
  public static func inherited() throws(InversionError) -> ListeningSocket? {
    let count = sd_listen_fds(1)
    guard count >= 0 else {
      throw InversionError(.invalidArgument, "LISTEN_FDS: \(String(cString: strerror(-count)))")
    }
    guard count > 0 else { return nil }
    guard count == 1 else {
      throw InversionError(.invalidArgument, "LISTEN_FDS: \(count) sockets passed; the daemon serves on one")
    }
    let first = SD_LISTEN_FDS_START
    guard sd_is_socket_unix(first, Int32(SOCK_STREAM.rawValue), 1, nil, 0) > 0 else {
      throw InversionError(.invalidArgument, "LISTEN_FDS: not a listening Unix stream socket; use ListenStream=/path")
    }
    return ListeningSocket(descriptor: first, origin: .inherited)
  }

  /// Opens a socket on a path. One that a dead daemon has left behind is replaced.
  ///
  /// - Parameter mode: permissions of the socket; nil leaves them to the umask.
  /// - Throws: `.invalidArgument` for a path that is too long; `.socketInUse` when another daemon serves it, or when
  ///   something else than a socket is there; `.fileUnavailable` when it cannot be created.
  public static func open(path: String, mode: mode_t?) throws(InversionError) -> ListeningSocket {
    guard path.utf8.count <= pathLimit, !path.isEmpty else {
      throw InversionError(
        .invalidArgument,
        "'\(path)': a socket path of \(path.utf8.count) bytes; the kernel takes 1 to \(pathLimit), choose a shorter one"
      )
    }
    let lock = try SocketLock.acquire(path)
    do throws(InversionError) {
      try removeStale(path)
      let descriptor = try listen(path, mode: mode)
      var status = stat()
      guard lstat(path, &status) == 0 else { throw systemError(path, "cannot be examined") }
      return ListeningSocket(descriptor: descriptor, origin: .own(path: path, inode: status.st_ino, lock: lock))
    } catch {
      SocketLock.release(lock, path)
      throw error
    }
  }

  /// Leaves the path to somebody else's care, who deletes the folder that it is in.
  package consuming func keep() {}

  /// Removes what `open` has created, unless somebody has put something else there since.
  public consuming func remove() {
    guard case .own(let path, let inode, let lock) = origin else { return }
    var status = stat()
    if lstat(path, &status) == 0 && status.st_ino == inode { unlink(path) }
    SocketLock.release(lock, path)
  }

  private static func removeStale(_ path: String) throws(InversionError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw InversionError(.socketInUse, "'\(path)': there is a file that is no socket; choose another path")
    }
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { throw systemError(path, "cannot be probed") }
    defer { close(probe) }
    guard withAddress(path, { Glibc.connect(probe, $0, $1) }) != 0 else { throw inUse(path) }
    // Refused: nobody listens. Anything else (no permission, a full queue) may be a living daemon.
    guard errno == ECONNREFUSED || errno == ENOENT else { throw inUse(path) }
    guard unlink(path) == 0 || errno == ENOENT else { throw systemError(path, "cannot be replaced") }
  }

  private static func listen(_ path: String, mode: mode_t?) throws(InversionError) -> CInt {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw systemError(path, "cannot be created") }
    guard withAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0 else {
      defer { close(descriptor) }
      throw systemError(path, "cannot be created")
    }
    // Before listen: until then nobody can connect.
    if let mode, chmod(path, mode) != 0 {
      defer { close(descriptor) }
      throw systemError(path, "cannot get its permissions")
    }
    guard Glibc.listen(descriptor, SOMAXCONN) == 0 else {
      defer { close(descriptor) }
      throw systemError(path, "cannot be listened on")
    }
    return descriptor
  }

  static func inUse(_ path: String) -> InversionError {
    InversionError(
      .socketInUse, "'\(path)': another daemon serves this socket; stop it, or give another --socket")
  }

  static func systemError(_ path: String, _ what: String) -> InversionError {
    InversionError(.fileUnavailable, "'\(path)': the socket \(what): \(String(cString: strerror(errno)))")
  }

  private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}

/// A file beside the socket that one daemon holds locked. Without it, two daemons that start at once could both find
/// the socket of a dead one and each replace the other's.
private enum SocketLock {
  static func acquire(_ socketPath: String) throws(InversionError) -> CInt {
    let path = socketPath + ".lock"
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard descriptor >= 0 else { throw ListeningSocket.systemError(socketPath, "cannot be locked") }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        defer { close(descriptor) }
        throw errno == EWOULDBLOCK
          ? ListeningSocket.inUse(socketPath) : ListeningSocket.systemError(socketPath, "cannot be locked")
      }
      // The last holder may have removed the file between our open and our lock: then it is not the one to hold.
      var held = stat()
      var named = stat()
      if fstat(descriptor, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino { return descriptor }
      close(descriptor)
    }
  }

  static func release(_ descriptor: CInt, _ socketPath: String) {
    unlink(socketPath + ".lock")
    close(descriptor)
  }
}
