import Errors
import Files
import Formats
import Foundation
import Models

/// The imported models of a folder: what there is, whether it is sound, and how it goes away.
public struct ModelLibrary: Sendable {
  public let folder: ModelsFolder

  public init(_ folder: ModelsFolder) { self.folder = folder }

  /// A model of the folder, or something in it that is none.
  public struct Entry: Sendable, Encodable {
    public let name: String
    /// Of all its files; nil when it cannot be read.
    public let bytes: Int?
    public let packing: String?
    public let source: String?
    public let date: String?
    /// Layers by precision.
    public let layers: [String: Int]
    /// Why it cannot be used; nil for a sound one.
    public let problem: String?
  }

  /// The models by name; those that cannot be used say why. An import that is not complete is none.
  /// - Throws: `fileUnavailable` for a folder that cannot be read; one that is not there has no models.
  public func list() throws -> [Entry] {
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
      throw InversionError(.fileUnavailable, "'\(folder.path)': a folder that cannot be read; give another")
    }
    return names.filter(ModelsFolder.isName).sorted().map(entry)
  }

  /// - Throws: `notFound`; `fileUnavailable` or `badModel` for a model that cannot be used.
  public func show(_ name: String) throws -> ModelDetails {
    ModelDetails(try package(name).description, path: folder.path(of: name))
  }

  /// A file of a model, compared with what its description says.
  public struct VerifiedFile: Sendable, Encodable {
    public let file: String
    /// nil for a sound one.
    public let problem: String?
  }

  /// Reads every file of a model and compares size and SHA-256.
  /// - Throws: as `show`; what is wrong with a file stands in the result.
  public func verify(_ name: String) throws -> [VerifiedFile] {
    try checkPlace(name)
    let path = folder.path(of: name)
    let description = try PackageDescription(folder: path)
    return description.files.sorted { $0.key < $1.key }.map { file, expected in
      VerifiedFile(file: file, problem: problem(of: "\(path)/\(file)", expected))
    }
  }

  private func problem(of path: String, _ expected: PackageDescription.File) -> String? {
    do {
      let size = try fileSize(path: path)
      guard size == expected.bytes else { return "\(size) bytes, should be \(expected.bytes)" }
      let digest = try sha256Hex(ofFile: path)
      return digest == expected.sha256 ? nil : "sha256 \(digest), should be \(expected.sha256)"
    } catch {
      return "\(error)"
    }
  }

  /// - Throws: `notFound`; `fileUnavailable` when it cannot be removed.
  public func remove(_ name: String) throws {
    try checkPlace(name)
    // Out of the list first: a model that is half removed must not look like one.
    let doomed = folder.path(of: "\(name)\(ModelsFolder.partialMark)removed")
    try? FileManager.default.removeItem(atPath: doomed)
    guard rename(folder.path(of: name), doomed) == 0 else {
      throw fileError(folder.path(of: name), "cannot be removed")
    }
    do {
      try FileManager.default.removeItem(atPath: doomed)
    } catch {
      throw fileError(doomed, "cannot be removed")
    }
  }

  private func package(_ name: String) throws -> ModelPackage {
    try checkPlace(name)
    return try ModelPackage(path: folder.path(of: name))
  }

  private func checkPlace(_ name: String) throws {
    try ModelsFolder.check(name: name)
    guard FileManager.default.fileExists(atPath: folder.path(of: name)) else {
      throw InversionError(
        .notFound, "'\(name)': no such model in '\(folder.path)'; 'inversion models list' shows those that are there")
    }
  }

  private func entry(_ name: String) -> Entry {
    do {
      let description = try package(name).description
      return Entry(
        name: name, bytes: description.byteCount, packing: description.packing, source: description.provenance.source,
        date: description.provenance.date, layers: description.layerCounts, problem: nil)
    } catch {
      return Entry(
        name: name, bytes: nil, packing: nil, source: nil, date: nil, layers: [:], problem: "\(error)")
    }
  }
}

/// What `inversion models show` tells of a model.
public struct ModelDetails: Sendable, Encodable {
  public let name: String
  public let path: String
  public let version: Int
  public let packing: String
  public let source: String
  /// Of each weights file of the source.
  public let sourceSHA256: [String: String]
  public let date: String
  public let tool: String
  public let bytes: Int
  /// Layers by precision, for each network.
  public let layers: [String: [String: Int]]
  public let files: [String: Int]

  private enum CodingKeys: String, CodingKey {
    case name, path, version, packing, source, date, tool, bytes, layers, files
    case sourceSHA256 = "source_sha256"
  }

  init(_ description: PackageDescription, path: String) {
    name = description.name
    self.path = path
    version = description.version
    packing = description.packing
    source = description.provenance.source
    sourceSHA256 = description.provenance.sha256
    date = description.provenance.date
    tool = description.provenance.tool
    bytes = description.byteCount
    layers = description.precision.mapValues(counted)
    files = description.files.mapValues(\.bytes)
  }
}

extension PackageDescription {
  fileprivate var byteCount: Int { files.values.reduce(0) { $0 + $1.bytes } }

  fileprivate var layerCounts: [String: Int] {
    precision.values.reduce(into: [:]) { sum, network in sum.merge(counted(network), uniquingKeysWith: +) }
  }
}

private func counted(_ layers: [String: LayerPrecision]) -> [String: Int] {
  layers.values.reduce(into: [:]) { $0[$1.rawValue, default: 0] += 1 }
}
