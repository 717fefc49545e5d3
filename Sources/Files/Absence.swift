import Errors
import Glibc

/// Why a path leads to nothing that can be looked up.
package enum Absence: Equatable, CustomStringConvertible {
  case missing
  /// A symbolic link, to what is not there.
  case danglingLink(String)
  /// The system's reason, such as a folder above it that may not be entered.
  case refused(String)

  /// nil where a file or folder is there.
  package init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) != 0 else { return nil }
    let reason = errno
    if reason == ENOENT || reason == ENOTDIR {
      self = linkTarget(path).map { .danglingLink($0) } ?? .missing
    } else {
      self = .refused(String(cString: strerror(reason)))
    }
  }

  package var description: String {
    switch self {
    case .missing: "no such file or folder"
    case .danglingLink(let target): "a link to '\(target)', which is not there"
    case .refused(let reason): "cannot be looked up: \(reason)"
    }
  }
}

/// Where a symbolic link leads; nil for what is none.
private func linkTarget(_ path: String) -> String? {
  var target = [CChar](repeating: 0, count: Int(PATH_MAX))
  let count = readlink(path, &target, target.count)
  return count < 0 ? nil : String(decoding: target.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Whether a folder is at `path`, or behind the link there.
package func isFolder(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// What is in a folder, sorted, hidden files too; empty for one that cannot be read.
package func names(in folder: String) -> [String] {
  guard let stream = opendir(folder) else { return [] }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}
