import Embeddings
import Errors
import Foundation
import Models
import Testing

@testable import Training

@Suite struct VectorTests {
  private let model: DiffusionModel

  init() throws { model = try GoldenTraining.model("sd1-tiny") }

  private func settings(_ initializer: String, _ change: (inout TrainingSettings) -> Void = { _ in })
    -> TrainingSettings
  {
    var settings = TrainingSettings(token: "<spot>", initializer: initializer)
    change(&settings)
    return settings
  }

  private func row(_ word: String) throws -> [Double] {
    model.textEncoder.embeddings.row(try model.initializerID(word)).map(Double.init)
  }

  @Test func aPhraseGivesAVectorAWordAndTheyTakeTurns() throws {
    #expect(try InitialVectors(settings("cat"), model: model).rows == row("cat"))
    #expect(try InitialVectors(settings("cat dog"), model: model).rows == row("cat") + row("dog"))
    let three = try InitialVectors(settings("cat dog") { $0.vectors = 3 }, model: model)
    #expect(try three.rows == row("cat") + row("dog") + row("cat") && three.count == 3)
    let error = #expect(throws: InversionError.self) {
      try InitialVectors(settings("cat dog") { $0.vectors = 1 }, model: model)
    }
    #expect(error?.message.contains("'cat dog' has 2 words") == true)
  }

  @Test func theEncodersOutputIsTakenAtTheWord() throws {
    let initial = try InitialVectors(settings("cat") { $0.initialization = .encoderOutput }, model: model)
    let states = model.textEncoder([try model.framed([try model.initializerID("cat")])], on: .init(recording: false))
    #expect(try initial.rows == Array(states.doubles[16..<32]) && initial.rows != row("cat"))
  }

  @Test func vectorsComeFromAFileOrAreZero() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let word = LearnedEmbedding(name: "<old>", vectors: (0..<32).map(Float.init), width: 16, sha256: "")
    try EmbeddingFile.write(word, to: path)
    let initial = try InitialVectors(settings("") { $0.initialization = .file(path) }, model: model)
    #expect(initial.rows == (0..<32).map(Double.init) && initial.ids.isEmpty)
    let wrong = #expect(throws: InversionError.self) {
      try InitialVectors(settings("") { ($0.initialization, $0.vectors) = (.file(path), 3) }, model: model)
    }
    #expect(wrong?.message.contains("has 2") == true)
    let zeros = settings("") { ($0.initialization, $0.vectors, $0.method) = (.zeros, 2, .plain) }
    #expect(try InitialVectors(zeros, model: model).rows == Array(repeating: 0, count: 32))
    var directional = zeros
    directional.method = .directional
    let error = #expect(throws: InversionError.self) {
      try Trainer(model: model, pictures: [TestPicture.concept()], settings: directional)
    }
    #expect(error?.message.contains("no direction") == true)
  }

  @Test func plainTrainingKeepsItsNormWhenToldTo() throws {
    func norms(_ keeps: Bool) throws -> [Double] {
      let changed = settings("cat") {
        ($0.steps, $0.batch, $0.method, $0.keepsNorm, $0.learningRate) = (3, 1, .plain, keeps, 0.05)
      }
      return Array(try Trainer(model: model, pictures: [TestPicture.concept()], settings: changed)).map(\.embeddingNorm)
    }
    let norm = model.textEncoder.embeddings.meanNorm
    #expect(try norms(true).allSatisfy { abs($0 - norm) < 1e-9 })
    #expect(try norms(false).contains { abs($0 - norm) > 1e-3 })
  }

  @Test func theAnchorPullsBack() {
    let start = [1.0, -2, 3, 0.5]
    var free = AdamW(rows: start, width: 4)
    var held = AdamW(rows: start, width: 4, anchor: .init(rows: start.map { 10 * $0 }, weight: 1))
    free.step(gradient: [0, 0, 0, 0], learningRate: 0.01)
    held.step(gradient: [0, 0, 0, 0], learningRate: 0.01)
    #expect(zip(held.rows, free.rows).enumerated().allSatisfy { (start[$0] > 0) == ($1.0 > $1.1) })
  }

  @Test func theAverageFollowsFastWhenYoungAndThenSlowly() {
    var average = MovingAverage(decay: 0.9, rows: [0])
    average.add([1])
    // (1 + 1) / (10 + 1) of the old.
    #expect(abs(average.rows[0] - 9.0 / 11) < 1e-12)
    for _ in 0..<200 { average.add([1]) }
    average.add([2])
    #expect(abs(average.rows[0] - 1.1) < 1e-6)
  }

  @Test func gradientsAreClippedToTheirLimit() throws {
    let changed = settings("cat") { ($0.batch, $0.method, $0.gradientClip, $0.learningRate) = (1, .plain, 1e-9, 0.01) }
    let trainer = try Trainer(model: model, pictures: [TestPicture.concept()], settings: changed)
    let free = try Trainer(
      model: model, pictures: [TestPicture.concept()],
      settings: settings("cat") { ($0.batch, $0.method, $0.learningRate) = (1, .plain, 0.01) })
    let (clipped, step) = (try #require(trainer.next()), try #require(free.next()))
    #expect(clipped.gradientNorm == step.gradientNorm && step.gradientNorm > 1e-6)
    // A gradient of the size of Adam's epsilon moves less than one of any other size.
    #expect(zip(trainer.rows, free.rows).contains { $0 != $1 })
  }
}

@Suite struct EarlyStoppingTests {
  private var settings: StoppingSettings {
    var settings = StoppingSettings()
    (settings.window, settings.threshold) = (3, 0.01)
    return settings
  }

  private func stop(_ losses: [Double]) -> Int? {
    var stopping = EarlyStopping()
    for (index, loss) in losses.enumerated() {
      stopping.add(loss, step: index, rows: [Double(index)])
      if stopping.hasSettled(settings) { return index }
    }
    return nil
  }

  @Test func itStopsWhenTheLossHasSettled() {
    #expect(stop([1, 0.6, 0.4, 0.39, 0.388, 0.387, 0.386]) == 4)
    #expect(stop([1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]) == nil, "still falling")
    #expect(stop([1, 0.6, 0.4, 0.5, 0.4, 0.5, 0.4]) == nil, "still jumping")
    #expect(stop([0.5, 0.5, 0.5, 0.5, 0.5]) == nil, "nothing has happened yet")
  }

  @Test func theLowestIsKept() {
    var stopping = EarlyStopping()
    for (step, loss) in [1, 0.4, 0.5, 0.4, .nan].enumerated() { stopping.add(loss, step: step, rows: [Double(step)]) }
    #expect(stopping.best == .init(loss: 0.4, step: 1, rows: [1]))
  }
}
