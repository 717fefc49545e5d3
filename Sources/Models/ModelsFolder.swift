import Errors
import Formats

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The folder in which imported models live, one folder a model, and how a model's name becomes a path.
public struct ModelsFolder: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  /// Where models are imported to: `$INVERSION_MODELS`; else, for root, `/var/lib/inversion/models`; else
  /// `$XDG_DATA_HOME/inversion/models`, which is by default `~/.local/share/inversion/models`.
  public static func standard(environment: [String: String], isRoot: Bool = geteuid() == 0) -> ModelsFolder {
    if let own = environment["INVERSION_MODELS"], !own.isEmpty { return ModelsFolder(path: own) }
    if isRoot { return system }
    if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") {
      return ModelsFolder(path: "\(data)/inversion/models")
    }
    guard let home = environment["HOME"], !home.isEmpty else { return system }
    return ModelsFolder(path: "\(home)/.local/share/inversion/models")
  }

  /// That of services, which every user may read.
  public static let system = ModelsFolder(path: "/var/lib/inversion/models")

  /// The path of the model that a user named: a path is taken as it is; a name is looked for in the user's models
  /// folder, in the system's, and last in the current folder.
  public static func resolve(_ model: String, environment: [String: String]) -> String {
    guard isName(model) else { return model }
    let folders = [standard(environment: environment), system]
    let found = folders.map { $0.path(of: model) }.first { exists("\($0)/\(PackageDescription.fileName)") }
    return found ?? model
  }

  public func path(of name: String) -> String { "\(path)/\(name)" }

  /// Whether `name` can be that of a model: up to 100 letters, digits, `.`, `_`, `-` and `+`, the first no sign.
  public static func isName(_ name: String) -> Bool {
    func isPlain(_ byte: UInt8) -> Bool {
      let character = Character(UnicodeScalar(byte))
      return byte < 128 && (character.isLetter || character.isNumber)
    }
    guard (1...100).contains(name.utf8.count), let first = name.utf8.first, isPlain(first) else { return false }
    return name.utf8.allSatisfy { isPlain($0) || "._-+".utf8.contains($0) } && !name.contains(partialMark)
  }

  /// In the name of a folder that is being imported.
  package static let partialMark = ".partial-"

  /// - Throws: `invalidArgument` for what cannot be a name.
  public static func check(name: String) throws {
    guard isName(name) else {
      throw InversionError(
        .invalidArgument,
        "'\(name)': not a model's name; use up to 100 letters, digits, '.', '_', '-' and '+', a letter or digit first")
    }
  }
}
