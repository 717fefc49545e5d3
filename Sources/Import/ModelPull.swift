import Errors
import Files
import Foundation
import Models

/// Downloads what a manifest lists, and imports it.
public struct ModelPull: Sendable {
  public let manifest: ModelManifest
  public let folder: ModelsFolder
  public let name: String
  private let lock: FolderLock

  /// How far the download is.
  public struct Progress: Sendable {
    public let path: String
    public let bytes: Int
    /// nil where the manifest does not know.
    public let total: Int?
  }

  /// - Throws: `invalidArgument` for a name that cannot be or is taken, `busy` when another process pulls the same.
  public init(_ manifest: ModelManifest, as name: String, into folder: ModelsFolder, replaces: Bool) throws {
    try ModelsFolder.check(name: name)
    // Gigabytes should not come for nothing.
    try ModelImport.checkPlace(folder, name, replaces: replaces)
    self.manifest = manifest
    self.folder = folder
    self.name = name
    let downloads = "\(folder.path)/.downloads/\(manifest.name)"
    try makeFolder(downloads)
    guard let lock = FolderLock(downloads) else {
      throw InversionError(.busy, "'\(manifest.name)': another 'inversion models pull' gets it; wait for that")
    }
    self.lock = lock
  }

  /// Where the files are meanwhile.
  public var downloads: String { "\(folder.path)/.downloads/\(manifest.name)" }

  /// Gets all files. Those that are complete are not got again.
  /// - Returns: the SHA-256 of each file.
  /// - Throws: `fileUnavailable`, `badFile`; what has come stays, and the next call goes on there.
  public func download(progress: @escaping @Sendable (Progress) -> Void) async throws -> [String: String] {
    var digests: [String: String] = [:]
    for file in manifest.files {
      let download = Download(file: file, path: "\(downloads)/\(file.path)")
      digests[file.path] = try await download.run { bytes in
        progress(Progress(path: file.path, bytes: bytes, total: file.bytes))
      }
    }
    return digests
  }

  /// The path of what is to be imported.
  public var source: String { manifest.source.map { $0 == "." ? downloads : "\(downloads)/\($0)" } ?? downloads }

  /// The downloaded files are not needed any more.
  public func removeDownloads() { try? FileManager.default.removeItem(atPath: downloads) }
}
