import DaemonTestSupport
import Embeddings
import Foundation
import Images
import Testing

/// `inversion train` and `evaluate` as a user runs them: output, error text, exit status.
@Suite(.timeLimit(.minutes(15))) struct TrainCommandTests {
  private static func run(_ arguments: [String]) async throws -> Program.Ended {
    try await Program.run("inversion", arguments)
  }

  @Test func aWordIsLearnedAndTheOutputIsForPipes() async throws {
    let place = try TrainingPlace()
    let run = try await place.train(["vectors": "2"])
    #expect(run.status == 0, "\(run.errors)")
    let file = place.path("words/spot.safetensors")
    #expect(run.output.hasPrefix("\(file): '<spot>', 2 x 16, step ") && run.output.contains("against 'toy'"))
    #expect(run.output.split(separator: "\n").count == 1)
    let lines = run.errors.split(separator: "\n")
    #expect(lines.count == 30 && lines.allSatisfy { $0.hasPrefix("step ") && $0.contains(" loss ") })
    #expect(lines.last?.contains("30/30") == true && lines.last?.contains("0:00 left") == true)
    #expect(!run.errors.contains("\u{1B}") && !run.errors.contains("\r"))
    #expect(place.words.sorted() == ["spot.safetensors", "spot.training"], "nothing temporary is left")
    let word = try EmbeddingFile.read(file)
    #expect(word.name == "<spot>" && word.count == 2 && word.width == 16)
    #expect(word.metadata["pictures_sha256"]?.split(separator: " ").count == 3)
    #expect(try await place.train(["vectors": "2"]).output == run.output, "equal seed, equal result")
  }

  /// On a terminal one line renews itself: cut to the terminal's width, for a longer one would leave pieces behind.
  @Test(arguments: [40, 60, 100])
  func theBarFitsTheTerminal(columns: Int) async throws {
    let place = try TrainingPlace()
    // The terminal that `script` makes is as wide as said, its output is the program's.
    let quoted = (["\(Program.path("inversion"))"] + place.arguments()).map { "'\($0)'" }.joined(separator: " ")
    let run = try await Program.run(
      "/usr/bin/script", ["-qefc", "stty cols \(columns); exec \(quoted)", "/dev/null"],
      environment: ["TERM": "xterm"])
    #expect(run.status == 0, "\(run.output)")
    let lines = run.output.split(whereSeparator: \.isNewline)
    let shown = lines.flatMap { $0.split(separator: "\r") }.filter { $0.contains("/30  loss") }
    #expect(!shown.isEmpty && shown.last?.contains("30/30") == true)
    for line in shown {
      #expect(line.hasSuffix("\u{1B}[K") && line.count - 3 < columns, "\(line)")
      #expect(line.contains("[#") || line.contains("[-") || columns < 100)
    }
  }

  @Test func thePageOfADivergedTrainingSaysSo() async throws {
    let place = try TrainingPlace()
    let run = try await place.train(["method": "ti", "context": "1e308"])
    #expect(run.status == 70 && run.errors.contains("diverged"), "\(run.errors)")
    let page = String(decoding: try place.bytes("words/spot.training/report.html"), as: UTF8.self)
    #expect(page.contains("<strong>diverged</strong>"))
    #expect(place.words == ["spot.training"])
  }

  @Test func theReportIsBesideTheWord() async throws {
    let place = try TrainingPlace()
    let run = try await place.train(["preview-every": "10", "steps": "20", "licence": "CC0-1.0", "no-auto-stop": ""])
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains(" norm ") && run.errors.contains(" MB"))
    let folder = "words/spot.training"
    let page = String(decoding: try place.bytes("\(folder)/report.html"), as: UTF8.self)
    #expect(page.components(separatedBy: "data:image/png;base64,").count == 3, "a preview at 10 and at 20")
    #expect(page.contains("CC0-1.0") && page.contains("Health of the word"))
    #expect(try place.bytes("\(folder)/previews/20.png").starts(with: [0x89, 0x50, 0x4E, 0x47]))
    #expect(try place.bytes("\(folder)/metrics.csv").count { $0 == UInt8(ascii: "\n") } == 21)
    #expect(try place.bytes("\(folder)/events.out.tfevents.0.inversion").count > 1000)
    let word = try EmbeddingFile.read(place.path("words/spot.safetensors"))
    #expect(word.metadata["licence"] == "CC0-1.0" && word.metadata["base_model_sha256"]?.count == 64)
  }

  @Test(arguments: [
    ("images", "/nowhere", 66, "'/nowhere'"), ("token", "cat", 64, "'cat' is in the vocabulary"),
    ("init-word", "zebra", 64, "'zebra' is no word of the vocabulary"), ("model", "/nowhere", 66, "'/nowhere'"),
    ("output", "/nowhere/spot.safetensors", 66, "'/nowhere'"), ("output", "spot.bin", 64, "'.safetensors'"),
    ("timesteps", "900-500", 64, "--timesteps"), ("timesteps", "500-1000", 64, "'500-1000'"),
    ("method", "other", 64, "--method"), ("steps", "0", 64, "'0' steps"), ("template", "/nowhere", 66, "'/nowhere'"),
    ("validation", "/nowhere", 66, "'/nowhere'"),
  ])
  func badFlags(flag: String, value: String, status: Int32, reason: String) async throws {
    let place = try TrainingPlace()
    let run = try await place.train([flag: value])
    #expect(run.status == status && run.output.isEmpty)
    #expect(run.errors.contains(reason), "\(run.errors)")
    #expect(!run.errors.contains("OVERVIEW"), "no full help on an error")
    #expect(place.words.isEmpty)
  }

  @Test func aBrokenPictureIsNamedOnOneLineAndTheOldWordStays() async throws {
    let place = try TrainingPlace()
    let (broken, word) = (place.path("pictures/spot/2.png"), place.path("words/spot.safetensors"))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: broken))
    try bytes.prefix(60).write(to: URL(fileURLWithPath: broken))
    try Data("old".utf8).write(to: URL(fileURLWithPath: word))
    let run = try await place.train()
    #expect(run.status == 65 && run.errors.hasPrefix("inversion: '\(broken)'"))
    #expect(run.errors.split(separator: "\n").count == 1)
    #expect(try Data(contentsOf: URL(fileURLWithPath: word)) == Data("old".utf8))
  }

  @Test func evaluationPrintsTablesOrJSON() async throws {
    let place = try TrainingPlace()
    #expect(try await place.train(["steps": "2"]).status == 0)
    let flags = [
      "evaluate", "--concepts", place.path("pictures"), "--embeddings", place.path("words"), "--model",
      TrainingPlace.tinyModel, "--draws", "2",
    ]
    let text = try await Self.run(flags)
    #expect(text.status == 0 && text.output.contains("retrieval: 100.0 %"), "\(text.errors)")
    struct Report: Decodable {
      struct Concepts: Decodable { let rows: [Row] }
      struct Row: Decodable { let concept: String, initializer: String, pictures: Int, learnedLoss: Double }
      let concepts: Concepts
      let retrieval: Double
    }
    let json = try await Self.run(flags + ["--format", "json"])
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let report = try decoder.decode(Report.self, from: Data(json.output.utf8))
    #expect(report.retrieval == 1 && report.concepts.rows.map(\.concept) == ["spot"])
    #expect(report.concepts.rows[0].initializer == "toy" && report.concepts.rows[0].pictures == 1)
    let none = try await Self.run(
      ["evaluate", "--concepts", place.path("words"), "--embeddings", place.path("words")] + flags.suffix(4))
    #expect(none.status == 66 && none.errors.contains("no concept"))
  }

  @Test func wordsAreJudgedByThemselves() async throws {
    let place = try TrainingPlace()
    #expect(try await place.train(["steps": "2", "vectors": "2"]).status == 0)
    let flags = ["--concepts", place.path("pictures"), "--model", TrainingPlace.tinyModel, "--draws", "2"]
    let file = place.path("words/spot.safetensors")
    let text = try await Self.run(["evaluate", file] + flags)
    #expect(text.status == 0 && text.output.contains("<spot>") && text.output.contains("1 of 1"), "\(text.errors)")
    struct Word: Decodable {
      struct Fidelity: Decodable { let loss: Double, pictures: Int }
      struct Editability: Decodable { let colours: [Answer] }
      struct Answer: Decodable { let prompt: String }
      let file: String, name: String, vectors: Int, fidelity: Fidelity, editability: Editability?
    }
    let json = try await Self.run(["evaluate", file, "--format", "json"] + flags)
    let words = try JSONDecoder().decode([Word].self, from: Data(json.output.utf8))
    #expect(words.map(\.file) == [file] && words[0].name == "<spot>" && words[0].vectors == 2)
    #expect(words[0].fidelity.pictures == 1)
    #expect(words[0].editability?.colours.count == 12)
    let plain = try await Self.run(["evaluate", file, "--seeds", "0"] + flags)
    #expect(plain.status == 0 && plain.output.contains(" - "), "\(plain.errors)")
    let one = try await Self.run(["evaluate", file, "--seeds", "1"] + flags)
    #expect(one.status == 64 && one.errors.contains("2 or more"))
    let nothing = try await Self.run(["evaluate"])
    #expect(nothing.status == 64 && nothing.errors.contains("--concepts"))
  }
}
