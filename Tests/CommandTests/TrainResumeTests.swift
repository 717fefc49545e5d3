import DaemonTestSupport
import Embeddings
import Foundation
import Testing

/// `inversion train` stopped and killed: what it ends with is what it would have ended with.
@Suite(.timeLimit(.minutes(15))) struct TrainResumeTests {
  private let flags = ["steps": "40", "checkpoint-every": "3", "average": "0.9", "min-snr": "5", "no-auto-stop": ""]

  @Test func killedAnywhereAndResumedItGivesTheSameFile() async throws {
    let (whole, cut) = (try TrainingPlace(), try TrainingPlace())
    #expect(try await whole.train(flags).status == 0)
    // Killed where a step has just been shown: some of them while their checkpoint is written.
    var kills = 0
    for steps in [1...3, 4...6, 7...9, 10...12, 13...15] {
      let step = 2 * Int.random(in: steps)
      let program = try Program("inversion", cut.arguments(flags.merging(["resume": ""]) { $1 }))
      let seen = await program.errors(until: "step \(step)/")
      program.send(SIGKILL)
      let ended = await program.ended()
      kills += ended.status == 128 + SIGKILL ? 1 : 0
      #expect(!seen.contains("inversion:"), "\(seen)")
    }
    #expect(kills > 0)
    let last = try await cut.train(flags.merging(["resume": ""]) { $1 })
    #expect(last.status == 0, "\(last.errors)")
    #expect(last.errors.contains("going on after step "))
    #expect(try cut.bytes("words/spot.safetensors") == whole.bytes("words/spot.safetensors"))
    #expect(!cut.words.contains { $0.hasPrefix(".") && $0.contains("safetensors") }, "\(cut.words)")
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func stoppedItLeavesACheckpointAndSaysSo(signal: Int32) async throws {
    let place = try TrainingPlace()
    let long = flags.merging(["steps": "1000", "checkpoint-every": "1000", "no-auto-stop": ""]) { $1 }
    let program = try Program("inversion", place.arguments(long))
    _ = await program.errors(until: "step 50/")
    program.send(signal)
    let ended = await program.ended()
    #expect(ended.status == 0 && ended.output.isEmpty, "\(ended.errors)")
    #expect(ended.errors.contains("go on with '--resume'"))
    #expect(place.words == ["spot.training"], "no word yet")
    // Without a word on what to do, the work that is there is not thrown away.
    let again = try await place.train(long)
    #expect(again.status == 64 && again.errors.contains("'--restart'"), "\(again.errors)")
    let other = try await place.train(long.merging(["resume": "", "seed": "1"]) { $1 })
    #expect(other.status == 64 && other.errors.contains("'seed' is 0 there, 1 here"), "\(other.errors)")
    let anew = try await place.train(flags.merging(["restart": ""]) { $1 })
    #expect(anew.status == 0, "\(anew.errors)")
    let finished = try await place.train(flags.merging(["resume": ""]) { $1 })
    #expect(finished.status == 0 && finished.output == anew.output, "\(finished.errors)")
  }

  @Test func severalWordsInOneRun() async throws {
    let place = try TrainingPlace()
    let list = ["<one>", "<two>"].map { token in
      "{\"token\": \"\(token)\", \"images\": \"\(place.path("pictures/spot"))\", \"init_word\": \"cat\", "
        + "\"output\": \"\(place.path("words/\(token.dropFirst().dropLast()).safetensors"))\"}"
    }
    try Data("[\(list.joined(separator: ", "))]".utf8).write(to: URL(fileURLWithPath: place.path("list.json")))
    let run = try await Program.run(
      "inversion",
      ["train", "--concepts", place.path("list.json"), "--steps", "3", "--model", TrainingPlace.tinyModel])
    #expect(run.status == 0 && run.output.split(separator: "\n").count == 2, "\(run.errors)")
    #expect(try EmbeddingFile.read(place.path("words/two.safetensors")).name == "<two>")
    try Data("[{\"token\": \"<a>\"}]".utf8).write(to: URL(fileURLWithPath: place.path("list.json")))
    let bad = try await Program.run("inversion", ["train", "--concepts", place.path("list.json")])
    #expect(bad.status == 65 && bad.errors.contains("entry 1 has no 'images'"), "\(bad.errors)")
  }
}
