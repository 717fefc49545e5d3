import Foundation

/// The place of what comes with this program: in the project when run inside it, else as installed; nil when it is in
/// neither.
/// - Parameter name: below the project, and below `share/inversion`.
func installedPath(_ name: String) -> String? {
  let candidates = [name, installedPlace(name)]
  return candidates.first { FileManager.default.fileExists(atPath: $0) }
}

/// Where an installed program has it.
func installedPlace(_ name: String) -> String {
  let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
  return program.appendingPathComponent("../../share/inversion/\(name)").standardized.path
}
