import DaemonTestSupport
import Errors
import Foundation
import Testing

@Suite(.timeLimit(.minutes(15))) struct SocketCommandTests {
  private func inversion(_ daemon: LiveDaemon, _ arguments: String...) async throws -> Program.Ended {
    // By the variable, as users set it once.
    try await Program.run("inversion", arguments, environment: ["INVERSION_SOCKET": daemon.socketPath])
  }

  @Test func embeddingsAddShowListRemove() async throws {
    let daemon = try LiveDaemon()
    let file = daemon.folder.path + "/tabby.safetensors"
    try Data(embeddingFile(1, name: "<my-cat>")).write(to: URL(filePath: file))
    let added = try await inversion(daemon, "embeddings", "add", file)
    #expect(added.status == 0 && added.output.hasPrefix("name        <my-cat>\naliases     tabby\n"))
    let list = try await inversion(daemon, "embeddings", "list")
    let rows = list.output.split(separator: "\n").map { $0.split(separator: " ") }
    #expect(rows.map(\.first) == ["NAME", "<my-cat>"] && rows[1].last == "tabby.safetensors")
    let json = try await inversion(daemon, "embeddings", "show", "my-cat", "--format", "json")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    #expect(object["name"] as? String == "<my-cat>" && object["width"] as? Int == 4)
    let removed = try await inversion(daemon, "embeddings", "remove", "<my-cat>")
    #expect(removed.status == 0 && removed.output == "removed  <my-cat>\n")
    let again = try await inversion(daemon, "embeddings", "remove", "<my-cat>")
    #expect(again.status == 66 && again.output.isEmpty)
    #expect(again.errors.hasPrefix("inversion: '<my-cat>': no such embedding"))
  }

  @Test func badEmbeddingFilesAreRefusedAndNothingChanges() async throws {
    let daemon = try LiveDaemon()
    let file = daemon.folder.path + "/x.safetensors"
    let cases: [([UInt8], Int32, String)] = [
      (
        try embeddingFile(0.1, name: "<w>", width: 768), 65,
        "768 wide: made for SD 1.x (CLIP ViT-L); this model needs 4"
      ),
      (Array(try embeddingFile(1, name: "<w>").dropLast(3)), 65, "truncated"),
      (Array("garbage".utf8), 65, "plain text"), ([9, 8, 7, 0], 65, "neither safetensors nor"),
      (try embeddingFile(.nan, name: "<w>"), 65, "not finite"),
    ]
    for (bytes, status, message) in cases {
      try Data(bytes).write(to: URL(filePath: file))
      let ended = try await inversion(daemon, "embeddings", "add", file)
      #expect(ended.status == status && ended.output.isEmpty)
      #expect(ended.errors.contains(message) && ended.errors.split(separator: "\n").count == 1, "\(ended.errors)")
    }
    let missing = try await inversion(daemon, "embeddings", "add", "/nonexistent.safetensors")
    #expect(missing.status == 66)
    #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.embeddingsFolder).isEmpty)
  }

  @Test func wideCharactersAndLongNamesKeepTheColumnsStraight() async throws {
    let daemon = try LiveDaemon()
    let long = "<\(String(repeating: "l", count: 70))>"
    for (file, name) in [("a", "<my-cat>"), ("b", "<猫😀>"), ("c", long)] {
      let path = "\(daemon.folder.path)/\(file).safetensors"
      try Data(embeddingFile(1, name: name)).write(to: URL(filePath: path))
      try #require(try await inversion(daemon, "embeddings", "add", path).status == 0)
    }
    let list = try await inversion(daemon, "embeddings", "list").output.split(separator: "\n").map(String.init)
    // Six columns as <my-cat> has eight.
    #expect(list.contains { $0.hasPrefix("<my-cat>  a  ") } && list.contains { $0.hasPrefix("<猫😀>    b  ") }, "\(list)")
    #expect(list.contains { $0.hasPrefix("\(long)  c  ") }, "\(list)")
  }

  /// A file may have any name: a log and a terminal show it, and do not obey it.
  @Test func namesOfFilesDriveNoTerminal() async throws {
    let daemon = try LiveDaemon()
    let name = "a\u{1B}[31m\u{202E}b\nc.safetensors"
    try Data("garbage".utf8).write(to: URL(filePath: "\(daemon.embeddingsFolder)/\(name)"))
    _ = try await daemon.client.rescan()
    let list = try await inversion(daemon, "embeddings", "list")
    #expect(list.errors.hasPrefix("rejected: 'a\\u{1b}[31m\\u{202e}b\\u{a}c.safetensors': "), "\(list.errors)")
    #expect(list.errors.split(separator: "\n").count == 1)
    let inspected = try await inversion(daemon, "embeddings", "inspect", "\(daemon.embeddingsFolder)/\(name)")
    #expect(inspected.status == 65 && inspected.errors.contains("a\\u{1b}[31m"), "\(inspected.errors)")
  }

  @Test func rejectedFilesAreListedOnStandardError() async throws {
    let daemon = try LiveDaemon()
    try Data("garbage".utf8).write(to: URL(filePath: daemon.embeddingsFolder + "/bad.safetensors"))
    _ = try await daemon.client.rescan()
    let list = try await inversion(daemon, "embeddings", "list")
    #expect(list.status == 0 && list.output.split(separator: "\n").count == 1)
    #expect(list.errors.hasPrefix("rejected: 'bad.safetensors': "))
  }

  @Test func status() async throws {
    let daemon = try LiveDaemon()
    let table = try await inversion(daemon, "status")
    #expect(table.status == 0 && table.output.contains("pid         \(getpid())\n") && table.errors.isEmpty)
    let json = try await inversion(daemon, "status", "--format", "json")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    #expect(object["pid"] as? Int == Int(getpid()))
  }

  @Test(arguments: [["status"], ["embeddings", "list"], ["generate", "x", "-o", "/tmp/never.png"]])
  func noDaemonSaysHowToStartOne(command: [String]) async throws {
    let folder = try TemporaryFolder()
    let socket = folder.path + "/none"
    let ended = try await Program.run("inversion", command + ["--socket", socket])
    #expect(ended.status == InversionError.Code.daemonUnavailable.exitStatus && ended.output.isEmpty)
    let start = "start one with 'inversiond --model DIR --embeddings DIR --socket \(socket)'"
    #expect(ended.errors == "inversion: '\(socket)': no daemon there; \(start)\n")
  }

  @Test func versionsAreTheSame() async throws {
    let programs = try await [Program.run("inversion", ["--version"]), Program.run("inversiond", ["--version"])]
    #expect(programs[0].output == programs[1].output && programs[0].output.contains("."))
  }

  /// The sample of the settings names them all (ConfigurationTests).
  @Test func everySettingHasAFlagAndALineInTheManual() async throws {
    let sample = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "units/inversiond.toml")
    let lines = try String(contentsOf: sample, encoding: .utf8).split(separator: "\n")
    let keys = lines.compactMap { try? /(# )?([a-z_]+) = .*/.wholeMatch(in: $0)?.output.2 }
    #expect(keys.count >= 19)
    // The manual is made of the same.
    let help = try await Program.run("inversiond", ["--help"]).output
    for key in keys { #expect(help.contains("--\(key.replacing("_", with: "-")) <"), "\(key)") }
  }

  @Test func theDaemonsOwnMistakesAreOneLine() async throws {
    let folder = try TemporaryFolder()
    let socket = folder.path + "/s"
    let cases: [([String], Int32, String)] = [
      (["--model", "/nonexistent", "--embeddings", folder.path, "--socket", socket], 66, "'/nonexistent'"),
      (
        [
          "--model", folder.path, "--embeddings", folder.path, "--socket", "/tmp/" + String(repeating: "x", count: 120),
        ], 64,
        "the kernel takes 1 to 107"
      ),
      (
        ["--model", folder.path, "--embeddings", folder.path, "--threads", "0"], 64,
        "--threads: give a whole number from 1"
      ),
      (
        ["--model", folder.path, "--embeddings", folder.path, "--socket-mode", "9"], 64,
        "--socket-mode: '9' is no octal number"
      ),
      (
        ["--model", folder.path, "--embeddings", folder.path, "--memory-budget", "lots"], 64, "--memory-budget: 'lots'"
      ),
      (["--model", folder.path, "--embeddings", folder.path, "--admin", "@no-such"], 64, "no group 'no-such'"),
      (["--model", folder.path], 64, "--embeddings"),
    ]
    for (arguments, status, message) in cases {
      let ended = try await Program.run("inversiond", arguments)
      #expect(ended.status == status && ended.output.isEmpty, "\(arguments)")
      #expect(ended.errors.contains(message) && !ended.errors.contains("OPTIONS:"), "\(ended.errors)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty, "nothing is left behind")
  }
}
