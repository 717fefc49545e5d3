import Errors
import Glibc

/// Knows which changes of a folder tree concern its embedding files.
///
/// Not for two threads at once: the store uses it under its lock.
final class FolderWatch: @unchecked Sendable {
  enum Change: Equatable {
    case none
    /// Paths relative to the folder, each new, changed or gone.
    case files(Set<String>)
    /// Folders came, went or were swapped, or the kernel lost events.
    case everything
  }

  private static let fileMask =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF
    | Int32(bitPattern: UInt32(IN_ONLYDIR))

  let folder: String
  private let inotify: Inotify
  /// Folders by watch, relative to `folder`.
  private var folders: [Int32: String] = [:]
  /// Watched while the folder is away or is a symbolic link, so that its return or its next target is seen. Not always:
  /// a parent such as /tmp is busy, and each event wakes the process.
  private var parentWatch: Int32?

  init(folder: String) throws(InversionError) {
    self.folder = folder
    self.inotify = try Inotify()
  }

  var descriptor: Int32 { inotify.descriptor }

  /// Renews all watches around a listing: `list` calls its argument with each folder before it lists it.
  func renew(_ list: ((String) -> Void) -> Void) {
    let old = Set(folders.keys)
    folders = [:]
    watchParentIfNeeded()
    list { path in
      let full = path.isEmpty ? folder : "\(folder)/\(path)"
      if let watch = inotify.watch(full, mask: Self.fileMask) { folders[watch] = path }
    }
    for watch in old.subtracting(folders.keys) where watch != parentWatch { inotify.unwatch(watch) }
  }

  /// What has changed since the last call.
  func changes() -> Change {
    var files: Set<String> = []
    var everything = false
    for event in inotify.events() {
      switch change(of: event) {
      case .none: break
      case .files(let paths): files.formUnion(paths)
      case .everything: everything = true
      }
    }
    return everything ? .everything : files.isEmpty ? .none : .files(files)
  }

  private func change(of event: Inotify.Event) -> Change {
    if event.has(IN_Q_OVERFLOW) { return .everything }
    if event.watch == parentWatch { return event.name == lastComponent ? .everything : .none }
    guard let relative = folders[event.watch] else { return .none }
    if event.has(IN_MOVE_SELF) || event.has(IN_DELETE_SELF) || event.has(IN_IGNORED) { return .everything }
    if event.has(Int32(IN_ISDIR)) { return event.has(IN_ATTRIB) ? .none : .everything }
    let path = relative.isEmpty ? event.name : "\(relative)/\(event.name)"

    var status = stat()
    let exists = lstat("\(folder)/\(path)", &status) == 0
    // A link may stand for a folder, and a hidden one for the target of others (as in a Kubernetes volume).
    if exists && status.st_mode & S_IFMT == S_IFLNK { return .everything }
    // A link that was listed because it leads out of the folder may have gone.
    guard FolderState.isCandidate(path) || !exists else { return .none }
    // A file just created is still being written and announces its end; a hard link is complete from the start.
    if event.has(IN_CREATE) && exists && status.st_nlink == 1 { return .none }
    return .files([path])
  }

  private func watchParentIfNeeded() {
    var status = stat()
    let isPlainFolder = lstat(folder, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    if isPlainFolder {
      if let watch = parentWatch { inotify.unwatch(watch) }
      parentWatch = nil
    } else if parentWatch == nil {
      parentWatch = inotify.watch(parent, mask: IN_CREATE | IN_MOVED_TO | Int32(bitPattern: UInt32(IN_ONLYDIR)))
    }
  }

  private var trimmed: Substring {
    var path = folder[...]
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
  }

  private var lastComponent: String { trimmed.split(separator: "/").last.map(String.init) ?? "/" }

  private var parent: String {
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }
}
