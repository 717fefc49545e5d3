import Errors
import Glibc

/// Lists an embeddings folder.
enum EmbeddingFolder {
  /// Deeper folders are not looked at; a link that leads back up would otherwise never end.
  private static let depthLimit = 8

  /// A file as the listing has found it.
  struct Found {
    let stamp: FileStamp
    /// Whether it is a link that leads out of the folder.
    let leaves: Bool
  }

  /// The files of `root` and its sub-folders, by paths relative to it; hidden ones are left out. Of a link that leaves
  /// `root`, whatever it leads to, there is the link alone. Each is looked at once: a store may have thousands.
  ///
  /// - Parameter enter: called with each folder, relative ('' for the root itself), before it is listed.
  /// - Throws: `.fileUnavailable` when `root` cannot be listed; a sub-folder that cannot is left out.
  static func files(of root: String, enter: (String) -> Void) throws(InversionError) -> [String: Found] {
    var files: [String: Found] = [:]
    var waiting = [(folder: "", depth: 0)]
    while let (folder, depth) = waiting.popLast() {
      enter(folder)
      guard let entries = entries(in: folder.isEmpty ? root : "\(root)/\(folder)") else {
        if !folder.isEmpty { continue }
        throw InversionError(
          .fileUnavailable, "'\(root)': the embeddings folder cannot be read: \(String(cString: strerror(errno)))")
      }
      for (name, mayBeLink) in entries where !name.hasPrefix(".") {
        let path = folder.isEmpty ? name : "\(folder)/\(name)"
        var status = stat()
        guard stat("\(root)/\(path)", &status) == 0 else { continue }
        let leaves = mayBeLink && leaves(root, path)
        if status.st_mode & S_IFMT != S_IFDIR || leaves {
          files[path] = Found(stamp: FileStamp(status), leaves: leaves)
        } else if depth < depthLimit {
          waiting.append((path, depth + 1))
        }
      }
    }
    return files
  }

  /// Whether a path below `root` is a link that leads out of it. A shared folder should not make the daemon read what
  /// only the daemon may read.
  static func leaves(_ root: String, _ path: String) -> Bool {
    var status = stat()
    guard lstat("\(root)/\(path)", &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return false }
    guard let base = resolved(root), let target = resolved("\(root)/\(path)") else { return true }
    return target != base && !target.hasPrefix(base == "/" ? "/" : "\(base)/")
  }

  private static func resolved(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  /// Nil, with `errno`, when the folder cannot be listed.
  static func names(in path: String) -> [String]? { entries(in: path)?.map(\.name) }

  private static func entries(in path: String) -> [(name: String, mayBeLink: Bool)]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var entries: [(name: String, mayBeLink: Bool)] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
        field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let type = Int(entry.pointee.d_type)
      entries.append((name, type == Int(DT_LNK) || type == Int(DT_UNKNOWN)))
    }
    return entries
  }
}
