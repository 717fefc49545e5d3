import DaemonTestSupport
import Embeddings
import Foundation
import Images
import Testing

/// Every option of `inversion train` reaches the training: its course is another one with it, and the word's file says
/// so.
@Suite(.timeLimit(.minutes(15))) struct TrainOptionTests {
  private let place: TrainingPlace

  /// Wide pictures with masks, the first with a caption.
  init() throws {
    place = try TrainingPlace()
    for number in 1...3 {
      let picture = TrainingPlace.picture(number).resized(width: 48, height: 16)
      let mask = Picture(
        width: 48, height: 16, pixels: (0..<48 * 16).flatMap { Array(repeating: $0 % 48 < 24 ? 255 : 0, count: 3) })
      let stem = place.path("pictures/spot/\(number)")
      try write(try picture.encoded(as: .png), "\(stem).png")
      try write(try mask.encoded(as: .png), "\(stem).mask.png")
    }
    // The others are captioned by the templates alone.
    try write(Array("toy, cat, dog, photo".utf8), place.path("pictures/spot/1.txt"))
    try write(Array("[name] and [filewords]\n".utf8), place.path("templates.txt"))
  }

  private func write(_ bytes: [UInt8], _ path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  /// Steps without their times, and what the file says.
  private func train(_ flags: [String: String]) async throws -> (course: [String], word: LearnedEmbedding) {
    let all = ["steps": "3", "batch": "2", "restart": ""].merging(flags) { $1 }
    let run = try await place.train(all)
    #expect(run.status == 0, "\(flags): \(run.errors)")
    let csv = String(decoding: try place.bytes("words/spot.training/metrics.csv"), as: UTF8.self)
    let course = csv.split(separator: "\n").map { String($0[..<($0.lastIndex(of: ",") ?? $0.endIndex)]) }
    return (course, try EmbeddingFile.read(place.path("words/spot.safetensors")))
  }

  /// Flags besides those of the base, the base's, and a line of metadata.
  private static let options: [(flags: [String: String], base: [String: String], says: (String, String)?)] = [
    (["seed": "1"], [:], ("seed", "1")), (["vectors": "2"], [:], nil), (["init-word": "toy cat"], [:], nil),
    (["template": "style"], ["template": "object"], ("templates", "style")),
    (["shuffle-tags": ""], [:], ("shuffle_tags", "true")),
    (["tag-drop-out": "0.5"], [:], ("tag_drop_out", "0.5")), (["flip": ""], [:], ("flip", "true")),
    (["crop": "random"], [:], ("crop", "random")),
    (["masked": ""], [:], ("masked", "true")),
    (["learning-rate": "0.1:2, 1e-3"], [:], ("learning_rate", "0.1:2, 0.001")),
    (["schedule": "cosine"], [:], ("learning_rate", "0.1:100, 0.05 cosine")), (["schedule": "linear"], [:], nil),
    (["warm-up": "2"], [:], ("learning_rate", "0.1:100, 0.05 after 2 steps of warm-up")),
    (["min-snr": "0.1"], ["timesteps": "uniform"], ("min_snr", "0.1")),
    (["offset-noise": "0.2"], [:], ("offset_noise", "0.2")),
    (["timesteps": "uniform"], [:], ("timesteps", "uniform")), (["accumulate": "2"], [:], ("accumulate", "2")),
    (["norm": "initializer"], [:], ("norm", "initializer")), (["average": "0"], [:], nil),
    (["context": "0.5"], [:], ("context_weight", "0.5")), (["negative": "3"], [:], ("polarity", "negative")),
    (["method": "ti"], [:], ("method", "ti")), (["keep-norm": ""], ["method": "ti"], ("keep_norm", "true")),
    (["gradient-clip": "1e-9"], ["method": "ti"], ("gradient_clip", "1e-09")),
    (["init": "encoder"], ["method": "ti"], ("initialization", "encoder")),
    (["init": "zeros"], ["method": "ti"], ("initialization", "zeros")),
    (["precision": "int8"], [:], ("precision", "int8")),
  ]

  @Test func everyOptionChangesTheCourseAndIsSaid() async throws {
    var bases: [[String: String]: [String]] = [:]
    for (flags, base, says) in Self.options {
      if bases[base] == nil { bases[base] = try await train(base).course }
      let (course, word) = try await train(base.merging(flags) { $1 })
      #expect(course.count == 4 && course != bases[base], "\(flags)")
      if let (key, value) = says { #expect(word.metadata[key] == value, "\(key): \(word.metadata[key] ?? "-")") }
      #expect(word.metadata["captions_sha256"]?.count == 64)
    }
  }

  @Test func aWordGoesOnFromAFileAndAsManyVectorsAsAPhrase() async throws {
    #expect(try await train(["init-word": "toy cat"]).word.count == 2)
    let old = place.path("old.safetensors")
    try FileManager.default.copyItem(atPath: place.path("words/spot.safetensors"), toPath: old)
    let (course, word) = try await train(["init": old])
    #expect(word.count == 2 && word.metadata["initialization"] == old && course.count == 4)
    let sixteen = try await train(["vectors": "16", "template": place.path("templates.txt")])
    #expect(sixteen.word.count == 16)
    #expect(try await train(["buckets": ""]).word.metadata["buckets"] == "true")
  }

  @Test func ofFourPicturesTheLastIsHeldOut() async throws {
    #expect(try await train([:]).word.metadata["pictures_sha256"]?.split(separator: " ").count == 3)
    try write(try TrainingPlace.picture(9).encoded(as: .png), place.path("pictures/spot/9.png"))
    let word = try await train([:]).word
    #expect(word.metadata["pictures_sha256"]?.split(separator: " ").count == 3, "of four")
    let page = String(decoding: try place.bytes("words/spot.training/report.html"), as: UTF8.self)
    #expect(page.contains("<td>9.png</td>") && page.contains("for validation alone"))
  }

  @Test(arguments: [
    ("vectors", "17", 64, "1 to 16"), ("init-word", " ", 64, "is empty"), ("init", "/nowhere", 66, "'/nowhere'"),
    ("init", "zeros", 64, "no direction"), ("tag-drop-out", "1.5", 64, "'1.5'"), ("crop", "left", 64, "--crop"),
    ("learning-rate", "0.1:5, x", 64, "piece 2"), ("schedule", "steps", 64, "--schedule"),
    ("warm-up", "-1", 64, "'-1'"),
    ("min-snr", "0", 64, "'0.0'"), ("offset-noise", "2", 64, "'2.0'"), ("gradient-clip", "0", 64, "'0.0'"),
    ("average", "1", 64, "'1.0'"), ("context", "-1", 64, "'-1.0'"), ("negative", "1", 64, "'1.0'"),
    ("validate-every", "0", 64, "'0'"), ("checkpoint-every", "0", 64, "--checkpoint-every"),
    ("preview-prompt", "a cat", 64, "'{}'"), ("preview-every", "-1", 64, "--preview-every"),
    ("concepts", "/nowhere", 66, "'/nowhere'"), ("precision", "int4", 64, "--precision"),
    ("memory-budget", "lots", 64, "lots"),
  ])
  func badValues(flag: String, value: String, status: Int32, reason: String) async throws {
    // '--flag=value': a value may begin with a dash.
    let run = try await Program.run("inversion", place.arguments([:]).filter { $0 != "" } + ["--\(flag)=\(value)"])
    #expect(run.status == status && run.errors.contains(reason), "\(flag): \(run.status) \(run.errors)")
    #expect(run.output.isEmpty && !run.errors.contains("OVERVIEW") && place.words.isEmpty)
  }
}
