import Errors
import Foundation
import Models
import Testing

@testable import Import

/// The folder of models: names, lists, damage, removal, and imports that do not come to their end.
@Suite struct LibraryTests {
  private func error(_ body: () throws -> Void) throws -> InversionError {
    try #require(throws: InversionError.self, performing: body)
  }

  @Test(arguments: ["a/b", "../x", ".hidden", "", "a b", "a.partial-1", "é", "-x", String(repeating: "a", count: 101)])
  func namesThatLeaveTheFolderAreRefused(name: String) throws {
    let library = Library()
    let error = try error { try library.add(tinyModel("sd1-tiny"), as: name) }
    #expect(error.code == .invalidArgument && error.message.contains("'\(name)'"))
    #expect(library.names.isEmpty)
    for call in [
      { try ModelLibrary(library.folder).remove(name) }, { _ = try ModelLibrary(library.folder).show(name) },
    ] {
      #expect(try self.error(call).code == .invalidArgument)
    }
  }

  @Test func listsShowsAndRemoves() throws {
    let library = Library()
    let models = ModelLibrary(library.folder)
    #expect(try models.list().isEmpty, "a folder that is not there has none")
    try library.add(tinyModel("sd1-tiny"), as: "one")
    try library.add(tinyModel("distilled-tiny"), as: "two")
    try FileManager.default.createDirectory(
      atPath: library.folder.path(of: "other"), withIntermediateDirectories: false)
    let entries = try models.list()
    #expect(entries.map(\.name) == ["one", "other", "two"])
    #expect(entries[0].problem == nil && (entries[0].layers["int8"] ?? 0) > 181 && entries[0].source == "sd1-tiny")
    #expect(entries[1].problem?.contains("model.json") == true)
    #expect(try models.show("two").layers["unet"]?.isEmpty == false)
    try models.remove("one")
    #expect(try models.list().map(\.name) == ["other", "two"])
    #expect(try error { try models.remove("one") }.code == .notFound)
  }

  @Test func aModelIsReplacedOnlyWhenAsked() throws {
    let library = Library()
    try library.add(tinyModel("sd1-tiny"), as: "one")
    let error = try error { try library.add(tinyModel("sd2-tiny"), as: "one") }
    #expect(error.code == .invalidArgument && error.message.contains("--replace"))
    try library.add(tinyModel("sd2-tiny"), as: "one", replaces: true)
    #expect(try ModelLibrary(library.folder).show("one").source == "sd2-tiny")
    #expect(library.names == ["one"])
  }

  @Test func damageIsFoundAndNamed() throws {
    let library = Library()
    let path = try library.add(tinyModel("sd1-tiny"), as: "one")
    let models = ModelLibrary(library.folder)
    #expect(try models.verify("one").allSatisfy { $0.problem == nil })
    let file = URL(fileURLWithPath: "\(path)/vae.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: file)
    #expect(try models.verify("one").filter { $0.problem != nil }.map(\.file) == ["vae.safetensors"])
    try bytes.dropLast().write(to: file)
    try FileManager.default.removeItem(atPath: "\(path)/tokenizer/vocab.json")
    let problems = try models.verify("one").filter { $0.problem != nil }
    #expect(problems.map(\.file) == ["tokenizer/vocab.json", "vae.safetensors"])
    #expect(problems[1].problem?.contains("\(bytes.count - 1) bytes") == true)
  }

  /// What a killed import leaves: a folder with half a package that nobody holds.
  @Test func whatADeadImportLeftIsCleanedUp() throws {
    let library = Library()
    let dead = library.folder.path(of: "one.partial-dead")
    try FileManager.default.createDirectory(atPath: dead, withIntermediateDirectories: true)
    try Data([1]).write(to: URL(fileURLWithPath: "\(dead)/unet.safetensors"))
    #expect(try ModelLibrary(library.folder).list().isEmpty, "no list shows it")
    let living = try PartialFolder(for: "three", in: library.folder)
    try library.add(tinyModel("sd1-tiny"), as: "two")
    #expect(library.names.filter { !$0.hasPrefix("three.partial-") } == ["two"])
    #expect(FileManager.default.fileExists(atPath: living.path), "that of a running import stays")
  }

  /// The process died between the two renames of a replacement.
  @Test func aModelThatWaitsForItsReplacementComesBack() throws {
    let library = Library()
    let path = try library.add(tinyModel("sd1-tiny"), as: "one")
    try FileManager.default.moveItem(atPath: path, toPath: library.folder.path(of: ".one.replaced"))
    try library.add(tinyModel("sd2-tiny"), as: "two")
    #expect(library.names == ["one", "two"])
    #expect(try ModelLibrary(library.folder).show("one").source == "sd1-tiny")
  }

  @Test func anImportThatFailsLeavesNothing() throws {
    let library = Library()
    let source = NSTemporaryDirectory() + "inversion-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: source) }
    try FileManager.default.copyItem(atPath: tinyModel("sd1-tiny"), toPath: source)
    // A value that is not finite, in the last tensor of the file: found only while the weights are read.
    let file = URL(fileURLWithPath: "\(source)/unet/diffusion_pytorch_model.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0x7F])
    try bytes.write(to: file)
    let error = try error { try library.add(source, as: "one") }
    #expect(error.code == .badModel && error.message.contains("finite") && error.message.contains(file.path))
    #expect(library.names.isEmpty)
  }

  @Test func aNameIsLookedForInTheFolders() throws {
    let library = Library()
    let path = try library.add(tinyModel("sd1-tiny"), as: "one")
    let environment = ["INVERSION_MODELS": library.folder.path]
    #expect(try ModelsFolder.resolve("one", environment: environment) == path)
    #expect(try ModelsFolder.resolve(path, environment: environment) == path, "a path is taken as it is")
    #expect(try ModelsFolder.resolve("/", environment: environment) == "/")
  }

  /// Where it was looked for, and what may have been meant.
  @Test func aModelThatIsNotThereIsLookedForAloud() throws {
    let library = Library()
    let path = try library.add(tinyModel("sd1-tiny"), as: "one-15")
    let environment = ["INVERSION_MODELS": library.folder.path]
    func message(_ model: String) throws -> String {
      let error = try error { _ = try ModelsFolder.resolve(model, environment: environment) }
      #expect(error.code == .fileUnavailable && error.message.hasPrefix("'\(model)': "), "\(error.message)")
      return error.message
    }
    let near = try message("one-51")
    #expect(near.contains("no such model in '\(library.folder.path)' and '/var/lib/inversion/models'"), "\(near)")
    #expect(near.hasSuffix("did you mean 'one-15'?"), "\(near)")
    #expect(try message("\(path)s").hasSuffix("no such file or folder; did you mean '\(path)'?"))
    #expect(try message("/nowhere/x").contains("give a package, a diffusers folder or a checkpoint file"))
    #expect(try message("someone/stable-diffusion-v1-5").contains("not fetched by name"))
    try FileManager.default.createSymbolicLink(atPath: "\(path).link", withDestinationPath: "gone")
    #expect(try message("\(path).link").contains("a link to 'gone', which is not there"))
  }

  @Test func theFolderFollowsTheEnvironment() {
    let home = ["HOME": "/ann"]
    #expect(ModelsFolder.standard(environment: home, isRoot: false).path == "/ann/.local/share/inversion/models")
    let data = home.merging(["XDG_DATA_HOME": "/data"]) { $1 }
    #expect(ModelsFolder.standard(environment: data, isRoot: false).path == "/data/inversion/models")
    #expect(ModelsFolder.standard(environment: data, isRoot: true).path == "/var/lib/inversion/models")
    let own = data.merging(["INVERSION_MODELS": "/m"]) { $1 }
    #expect(ModelsFolder.standard(environment: own, isRoot: true).path == "/m")
  }
}
