import DaemonTestSupport
import Errors
import Foundation
import Images
import Testing

/// The built `inversion` against a daemon with a fast model: what it prints where, and how it ends.
@Suite(.timeLimit(.minutes(15))) struct GenerateCommandTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  private func generate(_ daemon: LiveDaemon, _ arguments: String...) async throws -> Program.Ended {
    try await Program.run("inversion", ["generate"] + arguments + ["--socket", daemon.socketPath])
  }

  private func bytes(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: URL(filePath: "\(path)/\(name)")))
  }

  @Test(arguments: ["png", "webp", "jpg"]) func writesAPictureWithItsParameters(kind: String) async throws {
    let daemon = try LiveDaemon()
    let file = "\(path)/out.\(kind)"
    let ended = try await generate(daemon, "a cat", "-o", file, "--seed", "7", "--steps", "3", "--negative", "blurry")
    #expect(ended.status == 0)
    #expect(ended.output == "\(file)  16x16  seed 7\n")
    let content = try bytes("out.\(kind)")
    #expect(PictureFormat(sniffing: content) == PictureFormat(path: file))
    let expected = "a cat\nNegative prompt: blurry\nSteps: 3, Sampler: DDIM, CFG scale: 7.5, Seed: 7, Size: 16x16"
    #expect(readParameters(content)?.hasPrefix(expected) == true)
  }

  @Test func severalPicturesAreNumbered() async throws {
    let daemon = try LiveDaemon()
    let ended = try await generate(
      daemon, "a cat", "-o", "\(path)/out.webp", "--count", "2", "--seed", "7", "--size", "24x32", "--quality", "80",
      "--sampler", "euler", "--guidance", "1", "--format", "json")
    #expect(ended.status == 0, "\(ended.errors)")
    let report = try #require(try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any])
    let files = try #require(report["files"] as? [[String: Any]])
    #expect(files.map { $0["file"] as? String } == ["\(path)/out-1.webp", "\(path)/out-2.webp"])
    #expect(files.map { $0["seed"] as? Int } == [7, 8])
    #expect(
      readParameters(try bytes("out-2.webp"))?.contains("Sampler: Euler, CFG scale: 1, Seed: 8, Size: 24x32") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).count == 2)
  }

  @Test func progressIsPlainLinesOnAPipe() async throws {
    let ended = try await generate(LiveDaemon(), "x", "-o", "\(path)/out.png", "--steps", "10")
    let lines = ended.errors.split(separator: "\n")
    #expect(lines.count == 5 && lines.last?.hasPrefix("step 10/10  ") == true)
    #expect(!ended.errors.contains("\r") && !ended.errors.contains("\u{1B}"))
  }

  @Test func namesThatAreNotUsedAreNotedAndStrictRefusesThem() async throws {
    let daemon = try LiveDaemon()
    let noted = try await generate(daemon, "a <dog>", "-o", "\(path)/out.png")
    #expect(noted.status == 0 && noted.errors.contains("note: '<dog>' is not used: not in force"))
    let refused = try await generate(daemon, "a <dog>", "-o", "\(path)/strict.png", "--strict")
    #expect(refused.status == 66 && refused.output.isEmpty)
    #expect(refused.errors == "inversion: '<dog>': no such embedding is in force\n")
    #expect(!FileManager.default.fileExists(atPath: path + "/strict.png"))
  }

  @Test(arguments: [
    (["a cat", "-o", "out.gif"], 64, "'out.gif': give a file that ends in .webp, .png or .jpg"),
    (["a cat", "-o", "/nonexistent/out.png"], 66, "'/nonexistent/out.png': its folder cannot be written"),
    (["a cat", "-o", "/tmp/out.jpg", "--quality", "lossless"], 64, "JPEG cannot be"),
    (["a cat", "-o", "/tmp/out.png", "--quality", "50"], 64, "'quality': PNG is always lossless"),
    (["a cat", "-o", "/tmp/out.png", "--steps", "0"], 64, "'steps': 0 is not between 1 and 1000"),
    (["a cat", "-o", "/tmp/out.png", "--size", "60x64"], 64, "'width': 60 is not a multiple of 8"),
    (["a cat", "-o", "/tmp/out.png", "--sampler", "hein"], 64, "'sampler': unknown sampler 'hein'"),
    (["a cat", "-o", "/tmp/out.png", "--size", "64"], 64, "--size"), (["a cat"], 64, "--output"),
    (["a cat", "-o", "/tmp/out.png", "--seed", "-1"], 64, "--seed"),
    ([String(repeating: "word ", count: 76), "-o", "/tmp/out.png"], 64, "more than 75 words"),
  ]) func badInputIsOneClearMistake(arguments: [String], status: Int32, message: String) async throws {
    let daemon = try LiveDaemon()
    let ended = try await Program.run("inversion", ["generate", "--socket", daemon.socketPath] + arguments)
    #expect(ended.status == status)
    #expect(ended.output.isEmpty)
    #expect(ended.errors.contains(message), "\(ended.errors)")
    #expect(!ended.errors.contains("OPTIONS:"), "no full help on an error")
  }

  @Test func interruptCancelsTheJob() async throws {
    let gate = StepGate()
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    let program = try Program(
      "inversion", ["generate", "x", "-o", "\(path)/out.png", "--steps", "1000", "--socket", daemon.socketPath])
    gate.open(steps: 200)
    #expect(await program.errors(until: "step 200/1000").contains("step 200/1000"))
    program.send(SIGINT)
    let ended = await program.ended()
    #expect(ended.status == 130 && ended.output.isEmpty)
    // The job ends with the step in progress: a job that went on would wait at the gate for ever.
    gate.open(steps: 1)
    while try await daemon.client.status().current != nil { await Task.yield() }
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
  }
}
