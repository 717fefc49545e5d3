import Errors
import Formats
import Foundation
import Kernels
import Models
import Testing

@testable import Import

/// A package that is not what it should be is refused with its reason when it is opened, never misread.
@Suite struct BadPackageTests {
  private let library = Library()
  private let path: String

  init() throws { path = try library.add(tinyModel("sd1-tiny"), as: "one") }

  private func expectRefusal(_ words: String..., code: InversionError.Code = .badModel) throws {
    let error = try #require(throws: InversionError.self) { _ = try DiffusionModel(path: path, parts: .decoder) }
    #expect(error.code == code)
    for word in words { #expect(error.message.contains(word), "\(error.message)") }
  }

  private func edit(_ change: (inout [String: Any]) -> Void) throws {
    let file = URL(fileURLWithPath: "\(path)/model.json")
    var object = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    change(&object)
    try JSONSerialization.data(withJSONObject: object).write(to: file)
  }

  @Test func anUnknownVersion() throws {
    try edit { $0["version"] = 2 }
    try expectRefusal("version 2, this program reads 1", "newer")
  }

  @Test func anotherPacking() throws {
    try edit { $0["packing"] = "qc8w-16c8-s8" }
    try expectRefusal("'qc8w-16c8-s8'", "qc8w-32c4-u8", "import")
  }

  @Test(arguments: [
    "[]", "{}", "{\"format\": \"inversion-model\", \"version\": 1}", "", "{\"format\": \"x\", \"version\": 1}",
  ])
  func noDescription(text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/model.json"))
    try expectRefusal("model.json")
  }

  @Test func aFileOutside() throws {
    try edit { $0["files"] = ["../../etc/passwd": ["bytes": 1, "sha256": ""]] }
    try expectRefusal("'../../etc/passwd'")
  }

  @Test(arguments: [0, 5, 1000, 100_000])
  func aTruncatedFile(bytes: Int) throws {
    let file = URL(fileURLWithPath: "\(path)/unet.safetensors")
    try Data(contentsOf: file).prefix(bytes).write(to: file)
    try expectRefusal("unet.safetensors", "\(bytes) bytes", code: .badFile)
  }

  @Test func aMissingFile() throws {
    try FileManager.default.removeItem(atPath: "\(path)/vae.safetensors")
    try expectRefusal("vae.safetensors", code: .fileUnavailable)
  }

  @Test func aLayerWithoutPrecision() throws {
    try edit { object in
      var precision = object["precision"] as? [String: [String: String]] ?? [:]
      precision["unet"]?["conv_in"] = nil
      object["precision"] = precision
    }
    try expectRefusal("no precision for 'conv_in'")
  }

  @Test func aLayerThatIsStoredOtherwise() throws {
    try edit { object in
      var precision = object["precision"] as? [String: [String: String]] ?? [:]
      precision["unet"]?["conv_in"] = "int8"
      object["precision"] = precision
    }
    try expectRefusal("no tensor 'conv_in.weight.panels'")
  }

  @Test func weightsOfAnotherModel() throws {
    let other = try library.add(tinyModel("distilled-tiny"), as: "two")
    let file = "unet.safetensors"
    try FileManager.default.removeItem(atPath: "\(path)/\(file)")
    try FileManager.default.copyItem(atPath: "\(other)/\(file)", toPath: "\(path)/\(file)")
    let size = try fileSize(path: "\(path)/\(file)")
    try edit { object in
      var files = object["files"] as? [String: [String: Any]] ?? [:]
      files[file]?["bytes"] = size
      object["files"] = files
    }
    try expectRefusal("unet.safetensors", "no tensor 'down_blocks.0.attentions.0.norm.weight'")
  }

  @Test func aConfigOfAnotherModel() throws {
    try edit { object in
      var networks = object["networks"] as? [String: [String: Any]] ?? [:]
      networks["unet"]?["in_channels"] = 5
      object["networks"] = networks
    }
    try expectRefusal("'conv_in.weight' has shape [8, 3, 3, 4], the config asks for [8, 3, 3, 5]")
  }

  @Test func aPackageIsNotImportedAgain() throws {
    let error = try #require(throws: InversionError.self) { try library.add(path, as: "again") }
    #expect(error.code == .badModel && error.message.contains("package"))
  }

  @Test func theSafetensorsHeaderIsChecked() throws {
    let file = URL(fileURLWithPath: "\(path)/unet.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[9] = UInt8(ascii: "x")
    try bytes.write(to: file)
    try expectRefusal("unet.safetensors", code: .badFile)
  }
}
