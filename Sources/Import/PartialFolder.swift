import Errors
import Files
import Foundation
import Models

/// The folder in which a package grows: beside its place, under a name that no list shows.
///
/// Its maker holds a lock on it, which the kernel drops when the process dies, however it dies: the next import removes
/// every partial folder that nobody holds.
final class PartialFolder {
  let path: String
  private let models: ModelsFolder
  private let lock: FolderLock

  /// - Throws: `fileUnavailable` when the models folder cannot be written.
  init(for name: String, in models: ModelsFolder) throws {
    self.models = models
    try makeFolder(models.path)
    Self.removeAbandoned(in: models)
    let salt = String(UInt32.random(in: .min ... .max), radix: 36)
    path = models.path(of: "\(name)\(ModelsFolder.partialMark)\(salt)")
    try makeFolder(path)
    guard let lock = FolderLock(path) else { throw fileError(path, "cannot be locked") }
    self.lock = lock
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }

  /// Puts the complete folder in its place; a model that was there goes.
  func rename(to target: String) throws {
    try syncFolders()
    let replaced = Self.replacedPath(of: target)
    let isReplacing = Foundation.rename(target, replaced) == 0
    guard Foundation.rename(path, target) == 0 else {
      let error = fileError(target, "cannot be made")
      if isReplacing { _ = Foundation.rename(replaced, target) }
      throw error
    }
    AtomicFile.syncFolder(models.path)
    if isReplacing { try? FileManager.default.removeItem(atPath: replaced) }
  }

  /// The files in it are synced by their writer.
  private func syncFolders() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      AtomicFile.syncFolder("\(path)/\(name)")
    }
    AtomicFile.syncFolder(path)
  }

  /// Where a model waits while another takes its place.
  private static func replacedPath(of target: String) -> String {
    let url = URL(fileURLWithPath: target)
    return "\(url.deletingLastPathComponent().path)/.\(url.lastPathComponent)\(replacedMark)"
  }

  private static let replacedMark = ".replaced"

  /// Removes what imports that died have left, and puts back what one of them was about to replace.
  static func removeAbandoned(in models: ModelsFolder) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: models.path)) ?? []
    for name in names where name.hasPrefix(".") && name.hasSuffix(replacedMark) {
      let target = models.path(of: String(name.dropFirst().dropLast(replacedMark.count)))
      if Foundation.rename(models.path(of: name), target) != 0 {
        try? FileManager.default.removeItem(atPath: models.path(of: name))
      }
    }
    for name in names where name.contains(ModelsFolder.partialMark) {
      let path = models.path(of: name)
      guard let lock = FolderLock(path) else { continue }
      withExtendedLifetime(lock) { try? FileManager.default.removeItem(atPath: path) }
    }
  }
}

/// Makes a folder and those above it.
/// - Throws: `fileUnavailable`.
func makeFolder(_ path: String) throws {
  do {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  } catch {
    throw fileError(path, "cannot be made")
  }
}
