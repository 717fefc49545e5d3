import Errors
import Foundation
import Models
import Testing

@testable import Import

/// The project's own manifest, and manifests that are not what they should be.
@Suite struct ManifestTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("models-manifest").path

  @Test func everyEntryIsUnderstood() throws {
    let names = ModelManifest.names(in: Self.folder)
    #expect(Set(names).isSuperset(of: ["sd-1.5", "sd-2.1-base", "sd-turbo", "tiny-sd", "bk-sdm-small", "emoji-64"]))
    for name in names {
      let entry = try ModelManifest(name, in: Self.folder)
      #expect(entry.name == name && entry.bundled != nil || !entry.files.isEmpty)
    }
  }

  @Test func anUnknownNameListsThoseThatAreThere() throws {
    let error = try #require(throws: InversionError.self) { _ = try ModelManifest("sd-9", in: Self.folder) }
    #expect(error.code == .notFound && error.message.contains("sd-1.5"))
    #expect(throws: InversionError.self) { _ = try ModelManifest("../etc/passwd", in: Self.folder) }
  }

  @Test(arguments: [
    ("{}", "no key 'name'"), (entry(), nil), (entry(path: "../a"), "'../a'"), (entry(path: "/a"), "'/a'"),
    (entry(url: "file:///etc/passwd"), "'file:///etc/passwd'"), (entry(source: "b"), "'b'"),
    (entry(sha256: "\"xyz\""), "'xyz'"), ("[", "not JSON"),
  ])
  func aBadEntryIsRefused(text: String, reason: String?) throws {
    let library = Library()
    try FileManager.default.createDirectory(atPath: library.folder.path, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(library.folder.path)/x.json"))
    guard let reason else {
      #expect(try ModelManifest("x", in: library.folder.path).files.count == 1)
      return
    }
    let error = try #require(throws: InversionError.self) { _ = try ModelManifest("x", in: library.folder.path) }
    #expect(error.code == .badFile && error.message.contains(reason), "\(error.message)")
  }

  private static func entry(
    path: String = "a", url: String = "https://example.org/a", source: String = "a", sha256: String = "null"
  ) -> String {
    """
    {"name": "x", "title": "X", "license": {"name": "L", "url": "https://example.org"}, "source": "\(source)",
     "files": [{"path": "\(path)", "url": "\(url)", "sha256": \(sha256), "bytes": null}]}
    """
  }

  /// A whole model from a server, file by file, imported.
  @Test(.timeLimit(.minutes(15))) func aFolderIsPulledAndImported() async throws {
    let library = Library()
    let source = tinyModel("distilled-tiny")
    let server = try LoopbackServer { request in
      guard let content = FileManager.default.contents(atPath: source + request.path) else { return .init(status: 404) }
      return .file(Array(content), tag: "\"1\"", for: request)
    }
    let paths = try FileManager.default.subpathsOfDirectory(atPath: source).filter {
      ["json", "txt", "safetensors"].contains(URL(fileURLWithPath: $0).pathExtension)
    }
    let files = paths.map {
      "{\"path\": \"\($0)\", \"url\": \"\(server.url($0))\", \"sha256\": null, \"bytes\": null}"
    }
    let text = """
      {"name": "tiny", "title": "T", "license": {"name": "L", "url": "https://example.org"}, "source": ".",
       "files": [\(files.joined(separator: ","))]}
      """
    let manifest = try JSONDecoder().decode(ModelManifest.self, from: Data(text.utf8))
    let pull = try ModelPull(manifest, as: "mine", into: library.folder, replaces: false)
    let digests = try await pull.download { _ in }
    #expect(digests.count == paths.count)
    #expect(try ModelLibrary(library.folder).list().isEmpty, "a download is no model")
    let second = try #require(throws: InversionError.self) {
      _ = try ModelPull(manifest, as: "mine", into: library.folder, replaces: false)
    }
    #expect(second.code == .busy)
    try library.add(pull.source, as: pull.name)
    pull.removeDownloads()
    #expect(try ModelLibrary(library.folder).verify("mine").allSatisfy { $0.problem == nil })
  }
}
