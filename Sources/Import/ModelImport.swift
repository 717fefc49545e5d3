import Errors
import Files
import Formats
import Foundation
import Models

/// Turns a model of other tools into a package: read tensor by tensor, quantised as the plan says, packed for the
/// kernels, and in its place only when it is complete.
public struct ModelImport: Sendable {
  public let name: String
  private let source: String
  private let tool: String
  private let folder: ModelsFolder
  private let catalogue: ModelCatalogue
  private let precision: [Network: [String: LayerPrecision]]

  /// How far an import is.
  public struct Progress: Sendable {
    public let network: Network
    /// Weights of all networks.
    public let done: Int
    public let total: Int
  }

  /// Checks everything that can be checked before the first byte is written.
  /// - Parameters:
  ///   - source: a diffusers folder, or a checkpoint file.
  ///   - replaces: whether a model of that name may go.
  ///   - tool: program and version, for the provenance.
  /// - Throws: `invalidArgument` for a name or a plan that cannot be; `fileUnavailable`, `badFile` or `badModel` naming
  ///   the file, and the key or tensor.
  public init(
    source: String, name: String, into folder: ModelsFolder, plan: ModelPlan = .int8, replaces: Bool = false,
    tool: String
  ) throws {
    try self.init(
      openModel(path: source), path: source, name: name, into: folder, plan: plan, replaces: replaces, tool: tool)
  }

  /// The same for a source that is open: `path` is its place.
  init(
    _ model: @autoclosure () throws -> any ModelSource, path source: String, name: String, into folder: ModelsFolder,
    plan: ModelPlan, replaces: Bool, tool: String
  ) throws {
    try ModelsFolder.check(name: name)
    self.name = name
    self.source = source
    self.tool = tool
    self.folder = folder
    try Self.checkPlace(folder, name, replaces: replaces)
    catalogue = try ModelCatalogue(model())
    precision = try plan.resolved(for: catalogue)
  }

  /// - Throws: `invalidArgument` when there is a model of that name that may not go.
  static func checkPlace(_ folder: ModelsFolder, _ name: String, replaces: Bool) throws {
    guard replaces || !FileManager.default.fileExists(atPath: folder.path(of: name)) else {
      throw InversionError(
        .invalidArgument, "'\(folder.path(of: name))': there is a model of this name; give another, or '--replace'")
    }
  }

  /// Writes the package beside its place, syncs it and renames it.
  /// - Returns: the package's folder.
  /// - Throws: `fileUnavailable` for a disk that is full or cannot be written, `badModel` for weights that are damaged;
  ///   nothing is left then.
  @discardableResult
  public func run(progress: @escaping (Progress) -> Void = { _ in }) throws -> String {
    let partial = try PartialFolder(for: name, in: folder)
    do {
      let total = catalogue.items.values.reduce(0) { $0 + $1.count }
      var done = 0
      for network in Network.allCases {
        let writer = try NetworkWriter(network, catalogue, precision[network] ?? [:])
        try writer.write(to: "\(partial.path)/\(ModelPackage.weightsFile(of: network))") {
          done += 1
          progress(Progress(network: network, done: done, total: total))
        }
      }
      let tokenizer = try copyTokenizer(to: partial.path)
      let description = try describe(tokenizer, in: partial.path)
      try AtomicFile.write(description.json(), path: "\(partial.path)/\(PackageDescription.fileName)")
      try partial.rename(to: folder.path(of: name))
    } catch {
      partial.remove()
      throw error
    }
    return folder.path(of: name)
  }

  /// The files of transformers that the tokenizer reads, as they are.
  private func copyTokenizer(to partial: String) throws -> PackageDescription.Tokenizer {
    switch try catalogue.source.tokenizer() {
    case .clip(let pad): return PackageDescription.Tokenizer(pad: pad)
    case .folder(let path):
      let own = "tokenizer"
      try makeFolder("\(partial)/\(own)")
      for file in Self.tokenizerFiles where FileManager.default.fileExists(atPath: "\(path)/\(file)") {
        try AtomicFile.write(readFile(path: "\(path)/\(file)"), path: "\(partial)/\(own)/\(file)")
      }
      return PackageDescription.Tokenizer(folder: own)
    }
  }

  private static let tokenizerFiles = [
    "vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json",
  ]

  private func describe(_ tokenizer: PackageDescription.Tokenizer, in partial: String) throws -> PackageDescription {
    let source = catalogue.source
    var networks: [String: JSONValue] = [:]
    for network in Network.allCases {
      networks[network.rawValue] = try JSONValue(json: source.config(of: network).json)
    }
    let provenance = PackageDescription.Provenance(
      source: URL(fileURLWithPath: self.source).lastPathComponent, sha256: try sourceDigests(),
      date: Date.now.formatted(.iso8601), tool: tool)
    return PackageDescription(
      name: name, networks: networks, scheduler: try JSONValue(json: source.schedulerConfig().json),
      tokenizer: tokenizer,
      precision: Dictionary(uniqueKeysWithValues: precision.map { ($0.key.rawValue, $0.value) }),
      provenance: provenance,
      files: try digests(in: partial))
  }

  /// Of each weights file, by its path in the source.
  private func sourceDigests() throws -> [String: String] {
    var digests: [String: String] = [:]
    for path in Set(catalogue.layers.values.flatMap(\.paths)) {
      let inside = path.hasPrefix("\(source)/") ? String(path.dropFirst(source.count + 1)) : nil
      digests[inside ?? URL(fileURLWithPath: path).lastPathComponent] = try sha256Hex(ofFile: path)
    }
    return digests
  }

  private func digests(in folder: String) throws -> [String: PackageDescription.File] {
    var files: [String: PackageDescription.File] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
      let path = "\(folder)/\(name)"
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else { continue }
      files[name] = PackageDescription.File(bytes: try fileSize(path: path), sha256: try sha256Hex(ofFile: path))
    }
    return files
  }
}
