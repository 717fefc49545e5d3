import Foundation
import Import
import Models

/// The tiny models of ModelsTests.
func tinyModel(_ name: String) -> String {
  let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  return tests.path + "/ModelsTests/Golden/\(name)"
}

/// A models folder that goes with its test.
final class Library {
  let folder: ModelsFolder

  init() { folder = ModelsFolder(path: NSTemporaryDirectory() + "inversion-models-\(UUID().uuidString)") }

  deinit { try? FileManager.default.removeItem(atPath: folder.path) }

  /// Every name in the folder, hidden ones too.
  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }

  @discardableResult
  func add(
    _ source: String, as name: String, plan: ModelPlan = .int8, replaces: Bool = false
  ) throws -> String {
    try ModelImport(source: source, name: name, into: folder, plan: plan, replaces: replaces, tool: "test 1").run()
  }
}
