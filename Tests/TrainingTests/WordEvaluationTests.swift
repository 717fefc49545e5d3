import Embeddings
import Errors
import Images
import Models
import Testing

@testable import Training

@Suite struct PictureReadingsTests {
  /// A disc of one colour on another; `shade` darkens its lower half.
  private func disc(_ subject: [UInt8], on background: [UInt8], shade: UInt8 = 0) -> Picture {
    var pixels: [UInt8] = []
    for y in 0..<64 {
      for x in 0..<64 {
        let isInside = (x - 32) * (x - 32) + (y - 32) * (y - 32) < 400
        pixels += isInside ? subject.map { y > 32 ? $0 - min($0, shade) : $0 } : background
      }
    }
    return Picture(width: 64, height: 64, pixels: pixels)
  }

  @Test func theRimsColourHasAName() {
    for colour in NamedColour.all {
      let rgb = colour.rgb.map { UInt8($0) }
      #expect(PictureReadings(disc([10, 200, 10], on: rgb)).backgroundName == colour.name)
      let near = rgb.map { $0 > 128 ? $0 - 12 : $0 + 12 }
      #expect(PictureReadings(disc([10, 200, 10], on: near)).backgroundName == colour.name)
    }
  }

  @Test func stylesLeaveTheirMarks() {
    let plain = PictureReadings(disc([250, 120, 20], on: [255, 255, 255], shade: 110))
    let flat = PictureReadings(disc([20, 20, 20], on: [255, 255, 255]))
    #expect(flat.contrast < 0.1 * plain.contrast && flat.colourfulness < 0.1 * plain.colourfulness)
    let blocks = disc([250, 120, 20], on: [255, 255, 255]).resized(to: 16, filter: .box)
    var pixels: [UInt8] = []
    for place in 0..<64 * 64 {
      let cell = place / 64 / 4 * 16 + place % 64 / 4
      pixels += blocks.pixels[cell * 3..<cell * 3 + 3]
    }
    #expect(PictureReadings(Picture(width: 64, height: 64, pixels: pixels)).blockiness > 3 * plain.blockiness)
  }

  @Test func promptsAreAskedWithEverySeedAndJudgedByTheirPictures() throws {
    var asked: [String] = []
    let result = try Editability(word: "<spot>", seeds: 3) { prompt, seed in
      asked.append("\(prompt)/\(seed)")
      // Obeys red and silhouettes; the subject's size is the seed's.
      if prompt.contains("silhouette") { return disc([10, 10, 10], on: [255, 255, 255]) }
      let background: [UInt8] = prompt.contains(" red ") ? [220, 30, 40] : [255, 160, 200]
      return disc([UInt8(100 + 50 * seed), 120, 20], on: background, shade: 90)
    }
    #expect(asked.count == 3 * (1 + 6 + 3) && Set(asked).count == asked.count)
    #expect(asked.allSatisfy { $0.contains("<spot>") })
    #expect(
      result.colours.filter(\.isObeyed).map(\.prompt)
        == Array(repeating: "a photo of a <spot> on a red background", count: 3))
    #expect(abs(result.colourShare - 1.0 / 6) < 1e-12 && abs(result.styleShare - 1.0 / 3) < 1e-12)
    #expect(result.diversity > 0)
    let same = try Editability(word: "x", seeds: 2) { _, _ in disc([0, 0, 0], on: [9, 9, 9]) }
    #expect(same.diversity == 0)
  }
}

@Suite struct WordEvaluationTests {
  private let model: DiffusionModel

  init() throws { model = try GoldenTraining.model("sd1-tiny") }

  private var settings: WordExam.Settings {
    var settings = WordExam.Settings()
    settings.draws = 3
    return settings
  }

  private func word(_ text: String, metadata: [String: String] = ["initializer": "dog"]) throws -> LearnedEmbedding {
    LearnedEmbedding(
      name: "<\(text)>", vectors: model.textEncoder.embeddings.row(try model.initializerID(text)), width: 16,
      sha256: "",
      metadata: metadata)
  }

  @Test func fidelityAndRetrievalAreThoseOfTheLosses() throws {
    let (one, four) = ([TestPicture.concept(1)], [TestPicture.concept(4)])
    let exam = try WordExam(model: model, settings: settings, concepts: [("one", one), ("four", four)])
    let result = try exam.judge(try word("cat"), own: "one")
    let validation = ValidationLoss(model: model, pictures: one, window: .noisy, draws: 3)
    let (cat, dog, plain) = (
      try validation.losses(text: "cat")[0], try validation.losses(text: "dog")[0], try validation.losses(text: "")[0]
    )
    let fidelity = try #require(result.fidelity)
    #expect(abs(fidelity.loss / cat - 1) < 1e-6 && abs((fidelity.initializerLoss ?? 0) / dog - 1) < 1e-6)
    #expect(abs((fidelity.gain ?? 9) - (1 - cat / dog)) < 1e-6)
    let retrieval = try #require(result.retrieval)
    #expect(abs((retrieval.gains["one"] ?? 9) - (1 - cat / plain)) < 1e-6)
    let other = try #require(retrieval.gains["four"])
    #expect(retrieval.rank == (other > 1 - cat / plain ? 2 : 1))
    let given = try exam.judge(try word("cat"), heldOut: four)
    #expect(given.retrieval?.rank == nil && given.retrieval?.gains == retrieval.gains)
    #expect(given.fidelity?.loss != fidelity.loss && given.fidelity?.pictures == 1)
    #expect(result.editability == nil && result.health.vectors[0].nearest[0].word == "cat")
  }

  @Test func wordsOfAnotherModelOrWithoutAnInitializer() throws {
    let wide = LearnedEmbedding(name: "<w>", vectors: Array(repeating: 1, count: 24), width: 24, sha256: "")
    let error = #expect(throws: InversionError.self) {
      try WordExam(model: model, settings: settings).judge(wide)
    }
    #expect(error?.code == .badEmbedding && error?.message.contains("16 numbers") == true)
    let exam = try WordExam(model: model, settings: settings)
    let result = try exam.judge(try word("cat", metadata: [:]), heldOut: [TestPicture.concept(1)])
    #expect(result.fidelity?.gain == nil && result.fidelity?.loss ?? 0 > 0 && result.health.prior == nil)
  }

  @Test func theInitializersPicturesAreDrawnOnce() throws {
    var prompts: [String] = []
    let exam = try WordExam(model: model, settings: settings) { prompt, seed, _ in
      prompts.append(prompt)
      return TestPicture.picture(Int(seed))
    }
    let (cat, fox) = (try exam.judge(try word("cat")), try exam.judge(try word("fox")))
    #expect(cat.initializerEditability == fox.initializerEditability && cat.initializerEditability != nil)
    #expect(prompts.count { $0.contains("dog") } == 2 * 10 && prompts.count { $0.contains("<cat>") } == 2 * 10)
    #expect(prompts.count { $0.contains("<fox>") } == 2 * 10 && prompts.count == 60)
  }

  @Test func timestepsThatTheModelLacks() {
    var settings = settings
    settings.window = .range(500...1000)
    let error = #expect(throws: InversionError.self) { try WordExam(model: model, settings: settings) }
    #expect(error?.code == .invalidArgument)
  }
}
