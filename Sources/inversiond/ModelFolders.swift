import Daemon
import Errors
import FoundationEssentials
import Generation
import Glibc
import Models

/// The models of the settings' folders and of the user's, and the one that is named by a path.
struct ModelFolders: ModelCatalog {
  /// As the settings or the flag say: a name, or a path.
  private let standard: String
  private let folders: [String]
  /// Of models that are no packages.
  private let precision: LayerPrecision
  private let budget: MemoryBudget

  init(default model: String, folders: [String], precision: LayerPrecision, budget: MemoryBudget) {
    standard = model
    self.precision = precision
    self.budget = budget
    let environment = ProcessInfo.processInfo.environment
    self.folders = folders + [ModelsFolder.standard(environment: environment).path, ModelsFolder.system.path]
  }

  func names() -> [String] {
    let found = folders.flatMap { folder in
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      return names.filter { ModelsFolder.isName($0) && Self.isModel("\(folder)/\($0)") }
    }
    return Array(Set(found)).sorted()
  }

  /// How a model is called: of a path, its last part.
  func name(of model: String) -> String {
    let last = model.split(separator: "/").last.map(String.init) ?? model
    let kind = [".safetensors", ".ckpt", ".gguf"].first { last.hasSuffix($0) }
    return String(last.dropLast(kind?.count ?? 0))
  }

  /// The path of a model: of the default, whatever it is; else the first of the name in the folders.
  func path(of model: String) -> String {
    if model == standard || model == name(of: standard), standard.contains("/") { return standard }
    return folders.map { "\($0)/\(model)" }.first(where: Self.isModel) ?? model
  }

  /// - Throws: `.fileUnavailable` where there is nothing of the default model's name or at its path.
  func checkDefault() throws(InversionError) {
    try ModelsFolder.checkThere(path(of: standard), called: standard, folders: standard.contains("/") ? [] : folders)
  }

  func load(_ name: String) throws -> any PictureMaker {
    try Pipeline(folder: path(of: name), budget: budget, plan: ModelPlan(precision))
  }

  func advice(on name: String) -> String? {
    let path = path(of: name)
    guard !Self.isPackage(path) else { return nil }
    return
      "'\(path)' is no package: its weights are made \(precision.rawValue) at each start, in memory of this process; "
      + "'inversion models import' writes a package, whose weights are mapped"
  }

  /// A package, or a diffusers folder.
  private static func isModel(_ path: String) -> Bool {
    isPackage(path) || access("\(path)/model_index.json", F_OK) == 0
  }

  private static func isPackage(_ path: String) -> Bool { access("\(path)/\(PackageDescription.fileName)", F_OK) == 0 }
}
