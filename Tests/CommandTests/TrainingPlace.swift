import DaemonTestSupport
import Foundation
import Images

/// A folder with three pictures in `pictures/spot`, one more in its `held-out`, and an empty `words`.
final class TrainingPlace: Sendable {
  let folder: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("train-\(UUID())").path
    try FileManager.default.createDirectory(
      atPath: "\(folder)/pictures/spot/held-out", withIntermediateDirectories: true)
    try FileManager.default.createDirectory(atPath: "\(folder)/words", withIntermediateDirectories: true)
    for (number, name) in ["spot/1", "spot/2", "spot/3", "spot/held-out/1"].enumerated() {
      let bytes = try Self.picture(number).encoded(as: .png)
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/pictures/\(name).png"))
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  static func picture(_ number: Int) -> Picture {
    let pixels = (0..<20 * 24 * 3).map { UInt8(($0 * (7 + number)) % 256) }
    return Picture(width: 24, height: 20, pixels: pixels)
  }

  static let tinyModel: String = {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return tests.path + "/ModelsTests/Golden/sd1-tiny"
  }()

  var words: [String] { (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/words")) ?? [] }

  /// A file's path below the folder.
  func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Arguments of a training that works, with some flags replaced or added; an empty value is a flag without one.
  func arguments(_ changed: [String: String] = [:]) -> [String] {
    var flags = [
      "images": path("pictures/spot"), "token": "<spot>", "init-word": "toy", "steps": "30", "batch": "1",
      "output": path("words/spot.safetensors"), "model": Self.tinyModel,
    ]
    flags.merge(changed) { $1 }
    return ["train"]
      + flags.sorted { $0.key < $1.key }.flatMap { $0.value.isEmpty ? ["--\($0.key)"] : ["--\($0.key)", $0.value] }
  }

  func train(_ changed: [String: String] = [:]) async throws -> Program.Ended {
    try await Program.run("inversion", arguments(changed))
  }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }
}
