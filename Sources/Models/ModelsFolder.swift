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
  /// - Throws: `fileUnavailable` where there is nothing of that name or at that path.
  public static func resolve(_ model: String, environment: [String: String]) throws -> String {
    let folders = isName(model) ? [standard(environment: environment), system] : []
    let found = folders.map { $0.path(of: model) }.first { exists("\($0)/\(PackageDescription.fileName)") }
    if found == nil, let reason = Absence(model) { throw absent(model, reason, folders: folders.map(\.path)) }
    return found ?? model
  }

  /// - Throws: `fileUnavailable` where nothing is at the path of what was called `name`, looked for in `folders`.
  public static func checkThere(_ path: String, called name: String, folders: [String]) throws(InversionError) {
    if let reason = Absence(path) { throw absent(name, reason, folders: folders) }
  }

  /// Says where a model was looked for, and what is there that is called much the same.
  /// - Parameter folders: those in which a name was looked for.
  package static func absent(_ model: String, _ reason: Absence, folders: [String] = []) -> InversionError {
    let slash = model.lastIndex(of: "/")
    let (parent, last) = (
      slash.map { String(model[...$0]) } ?? "", slash.map { String(model[$0...].dropFirst()) } ?? model
    )
    let beside = names(in: parent.isEmpty ? "." : parent).filter { !$0.hasPrefix(".") }
    let known = folders.flatMap { folder in names(in: folder).filter(isName) }
    let near = similarNames(to: last, among: known + beside)
    let unique = folders.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    let places = unique.isEmpty ? "" : "no such model in \(quoted(unique)), and "
    let advice =
      if case .refused = reason {
        "allow it, or give another"
      } else if !near.isEmpty {
        "did you mean \(quoted(near.map { known.contains($0) ? $0 : parent + $0 }, last: "or"))?"
      } else if isHubName(model) {
        "models of the Hugging Face hub are not fetched by name: download it and give its folder"
      } else {
        "give a package, a diffusers folder or a checkpoint file"
      }
    return InversionError(.fileUnavailable, "'\(model)': \(places)\(reason); \(advice)")
  }

  /// `owner/model`, with nothing of that owner's here.
  private static func isHubName(_ model: String) -> Bool {
    let parts = model.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    return parts.count == 2 && parts.allSatisfy(isName) && !exists(parts[0])
  }

  private static func quoted(_ names: [String], last: String = "and") -> String {
    let quoted = names.map { "'\($0)'" }
    return quoted.count < 2
      ? quoted.joined() : quoted.dropLast().joined(separator: ", ") + " \(last) \(quoted[quoted.count - 1])"
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
