import Client
import DaemonTestSupport
import Errors
import Foundation
import Images
import Testing

private let model = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().appending(path: "models/emoji-64").path

/// Both programs with the embedded model.
@Suite(
  .timeLimit(.minutes(15)), .serialized,
  .enabled(if: FileManager.default.fileExists(atPath: model + "/model_index.json"), "models/emoji-64 is not there"))
struct EmbeddedModelTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }
  private var client: DaemonClient { DaemonClient(socketPath: path + "/s") }

  init() throws {
    folder = try TemporaryFolder()
    mkdir(folder.path + "/e", 0o700)
  }

  private func daemon(model: String = model, _ more: String...) throws -> Program {
    try Program("inversiond", ["--model", model, "--embeddings", path + "/e", "--socket", path + "/s"] + more)
  }

  private func generate(_ prompt: String, _ file: String, _ arguments: String...) async throws -> Program.Ended {
    try await Program.run(
      "inversion",
      ["generate", prompt, "-o", "\(path)/\(file)", "--steps", "2", "--seed", "1", "--socket", path + "/s"] + arguments)
  }

  private func pixels(_ file: String) throws -> [UInt8] {
    try DecodedPicture(path: "\(path)/\(file)").picture.pixels
  }

  @Test func aNewWordIsServedByTheSameProcess() async throws {
    let daemon = try daemon()
    #expect(await daemon.errors(until: " serving ").contains(" serving model=emoji-64"))
    for file in ["a.png", "b.png"] { #expect(try await generate("a <word>", file).status == 0) }
    #expect(try pixels("a.png") == pixels("b.png"), "equal request, equal picture")

    let width = try #require(try await client.status().model.embeddingWidth)
    let word = try embeddingFile(0.05, name: "<word>", width: width)
    try Data(word).write(to: URL(filePath: path + "/word.safetensors"))
    #expect(rename(path + "/word.safetensors", path + "/e/word.safetensors") == 0)
    while try await client.status().embeddings.inForce == 0 { await Task.yield() }
    let ended = try await generate("a <word>", "c.png", "--strict")
    #expect(ended.status == 0, "\(ended.errors)")
    #expect(try pixels("a.png") != pixels("c.png"))
    let status = try await client.status()
    #expect(status.pid == daemon.pid && status.embeddings.inForce == 1)
    daemon.send(SIGTERM)
    #expect(await daemon.ended().status == 0)
  }

  @Test func aMemoryBudgetGivesTheSamePicture() async throws {
    let free = try daemon()
    #expect(await free.errors(until: " serving ").contains(" serving "))
    #expect(try await generate("a fox", "a.png").status == 0)
    free.send(SIGTERM)
    #expect(await free.ended().status == 0)

    let tight = try daemon("--memory-budget", "8M")
    #expect(await tight.errors(until: " serving ").contains(" serving "))
    let ended = try await generate("a fox", "b.png")
    #expect(ended.status == 0, "\(ended.errors)")
    #expect(try pixels("a.png") == pixels("b.png"))
    tight.send(SIGTERM)
    #expect(await tight.ended().status == 0)
  }

  /// What 'models import' does once, the daemon does at each start, and says so.
  @Test func aFolderIsServedInInt8AsItsPackageIs() async throws {
    let ended = try await Program.run("inversion", ["models", "import", model, "--name", "packed", "--models", path])
    #expect(ended.status == 0, "\(ended.errors)")
    let ways = [
      ("packed.png", path + "/packed", []), ("folder.png", model, []), ("f32.png", model, ["--precision", "f32"]),
    ]
    for (file, model, flags) in ways {
      let daemon = try Program(
        "inversiond", ["--model", model, "--embeddings", path + "/e", "--socket", path + "/s"] + flags)
      let log = await daemon.errors(until: " serving ")
      #expect(log.contains("is no package: its weights are made") == (file != "packed.png"), "\(log)")
      #expect(try await generate("a fox", file).status == 0)
      daemon.send(SIGTERM)
      #expect(await daemon.ended().status == 0)
    }
    #expect(try pixels("packed.png") == pixels("folder.png"))
    #expect(try pixels("f32.png") != pixels("folder.png"), "and f32 is something else")
  }

  @Test func whatTheEngineRefusesHasItsExitStatus() async throws {
    let daemon = try daemon()
    #expect(await daemon.errors(until: " serving ").contains(" serving "))
    let long = try await generate(String(repeating: "fox ", count: 80), "a.png", "--prompt-syntax", "plain")
    #expect(
      long.status == InversionError.Code.promptTooLong.exitStatus && long.errors.split(separator: "\n").count == 1)
    let unknown = try await generate("a <nobody>", "a.png", "--strict")
    #expect(unknown.status == InversionError.Code.unknownEmbedding.exitStatus && unknown.errors.contains("<nobody>"))
    let size = try await generate("a fox", "a.png", "--size", "72x64")
    #expect(size.status == InversionError.Code.invalidArgument.exitStatus, "\(size.errors)")
    let wide = path + "/wide.safetensors"
    try Data(embeddingFile(0.1, name: "<w>", width: 768)).write(to: URL(filePath: wide))
    let refused = try await Program.run("inversion", ["embeddings", "add", wide, "--socket", path + "/s"])
    #expect(refused.status == 65 && refused.errors.contains("768 wide: made for SD 1.x"))
    #expect(!FileManager.default.fileExists(atPath: path + "/a.png"))
    #expect(try await client.status().pid == daemon.pid, "it has survived all of that")
  }

  @Test func damagedModelsAreOneLine() async throws {
    for damage in ["truncated", "missing", "config"] {
      let copy = "\(path)/\(damage)"
      // All links followed: what is damaged here must be a copy, and never the model itself.
      #expect(try await Program.run("/bin/cp", ["-rL", model, copy]).status == 0)
      let weights = copy + "/unet/diffusion_pytorch_model.safetensors"
      switch damage {
      case "truncated": #expect(truncate(weights, 1_000_000) == 0)
      case "missing": #expect(unlink(weights) == 0)
      default: try "{".write(toFile: copy + "/unet/config.json", atomically: false, encoding: .utf8)
      }
      let ended = try await daemon(model: copy).ended()
      #expect([65, 66].contains(ended.status), "\(damage): \(ended.status)")
      let lines = ended.errors.split(separator: "\n")
      #expect(lines.count == 1 && lines.first?.hasPrefix("inversiond: '\(copy)") == true, "\(ended.errors)")
      #expect(!FileManager.default.fileExists(atPath: path + "/s"), "no socket is left behind")
    }
  }
}
