import DaemonTestSupport
import Errors
import Foundation
import Testing

private let project = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().path
private let tiny = project + "/Tests/ModelsTests/Golden/sd1-tiny"

/// `inversion models` as a user runs it: output, error text, exit status, and what is left in the folder.
@Suite(.timeLimit(.minutes(15))) struct ModelsCommandTests {
  private let folder: TemporaryFolder
  private var models: String { folder.path + "/models" }

  init() throws { folder = try TemporaryFolder() }

  private func run(_ arguments: String...) async throws -> Program.Ended {
    try await Program.run("inversion", ["models"] + arguments, environment: ["INVERSION_MODELS": models])
  }

  private var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: models)) ?? []).sorted() }

  @Test func aModelComesAndGoes() async throws {
    let imported = try await run("import", tiny, "--name", "tiny")
    #expect(imported.status == 0, "\(imported.errors)")
    #expect(imported.output.contains("qc8w-32c4-u8") && imported.output.contains("sd1-tiny"))
    #expect(imported.errors.split(separator: "\n").allSatisfy { $0.hasPrefix("importing '") })
    let list = try await run("list")
    #expect(list.output.split(separator: "\n").count == 2 && list.output.contains("tiny  ") && list.errors.isEmpty)
    let shown = try await run("show", "tiny", "--format", "json")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [String: Any])
    #expect(object["path"] as? String == models + "/tiny" && object["source_sha256"] != nil)
    #expect(try await run("verify", "tiny").status == 0)
    #expect(try await run("remove", "tiny").output == "removed  tiny\n")
    #expect(names.isEmpty)
    let gone = try await run("show", "tiny")
    #expect(gone.status == 66 && gone.errors.hasPrefix("inversion: 'tiny': no such model"))
  }

  @Test func aDamagedFileIsNamed() async throws {
    try #require(try await run("import", tiny, "--name", "tiny").status == 0)
    let file = URL(filePath: models + "/tiny/unet.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count - 9] ^= 4
    try bytes.write(to: file)
    let verified = try await run("verify", "tiny")
    #expect(verified.status == 65 && verified.errors.contains("damaged: 'unet.safetensors'"))
    #expect(verified.output.contains("vae.safetensors") && verified.output.contains("sha256"))
  }

  @Test(arguments: [
    (["import", "/nowhere", "--name", "a"], 66, "'/nowhere'"), (["import", tiny, "--name", "a/b"], 64, "'a/b'"),
    (["import", tiny], 64, "--name"), (["verify", "a"], 66, "'a'"), (["remove", "../a"], 64, "'../a'"),
    (["import", tiny, "--name", "a", "--plan", "/nowhere"], 66, "'/nowhere'"), (["pull", "sd-9"], 66, "'sd-9'"),
    (["import", tiny, "--name", "a", "--models", "/proc/models"], 66, "'/proc/models'"),
    (["analyze", tiny, "--steps", "0"], 64, "'0' steps"),
  ])
  func badFlags(arguments: [String], status: Int32, reason: String) async throws {
    let ended = try await Program.run(
      "inversion", ["models"] + arguments, environment: ["INVERSION_MODELS": models])
    #expect(ended.status == status && ended.output.isEmpty)
    #expect(ended.errors.contains(reason) && !ended.errors.contains("OVERVIEW"), "\(ended.errors)")
    #expect(names.isEmpty)
  }

  /// As on a disk that is full: the files may not grow as large as the package needs.
  @Test func anImportThatCannotBeWrittenLeavesNothing() async throws {
    let script = "ulimit -f 100; trap '' XFSZ; exec \"$0\" models import \"$1\" --name tiny"
    let ended = try await Program.run(
      "/bin/sh", ["-c", script, Program.path("inversion"), tiny], environment: ["INVERSION_MODELS": models])
    #expect(ended.status == 66 && ended.errors.contains("cannot be written"), "\(ended.errors)")
    #expect(names.isEmpty)
  }

  @Test func aKilledImportIsNoModelAndTheNextOneCleansUp() async throws {
    // The system kills it when a file grows beyond the limit, and so always in the middle of a file.
    let script = """
      ulimit -c 0; ulimit -f 100; exec env --default-signal=XFSZ "$0" models import "$1" --name emoji
      """
    let killed = try await Program.run(
      "/bin/sh", ["-c", script, Program.path("inversion"), project + "/models/emoji-64"],
      environment: ["INVERSION_MODELS": models])
    #expect(killed.status == 128 + SIGXFSZ, "\(killed.errors)")
    #expect(names.count == 1 && names[0].hasPrefix("emoji.partial-"))
    #expect(try await run("list", "--format", "json").output == "[\n\n]\n")
    #expect(try await run("import", tiny, "--name", "tiny").status == 0)
    #expect(names == ["tiny"])
  }

  @Test func whatAnAnalysisProposesIsWhatAnImportTakes() async throws {
    let plan = folder.path + "/plan.json"
    let analyzed = try await run("analyze", tiny, "--out", plan, "--steps", "1", "--threshold", "1000")
    #expect(analyzed.status == 0, "\(analyzed.errors)")
    #expect(analyzed.output.contains("mid_block.resnets.0.conv1"))
    let imported = try await run("import", tiny, "--name", "tiny", "--plan", plan)
    #expect(imported.status == 0 && !imported.output.contains("int8"), "no layer reaches that threshold")
    // A plan for this model is none for another.
    let other = project + "/Tests/ModelsTests/Golden/distilled-tiny"
    let refused = try await run("import", other, "--name", "other", "--plan", plan)
    #expect(refused.status == 65 && refused.errors.contains("no layer is called so"), "\(refused.errors)")
  }

  @Test func aModelIsTakenByItsName() async throws {
    try #require(try await run("import", tiny, "--name", "tiny").status == 0)
    let word = folder.path + "/x.safetensors"
    let trained = try await Program.run(
      "inversion",
      ["train", "--images", project + "/concepts/bell-pepper", "--token", "<x>", "--init-word", "cat", "--steps", "1"]
        + ["--output", word, "--model", "tiny"], environment: ["INVERSION_MODELS": models])
    #expect(trained.status == 0 && FileManager.default.fileExists(atPath: word), "\(trained.errors)")
  }
}
