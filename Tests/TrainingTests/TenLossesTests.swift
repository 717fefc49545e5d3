import Formats
import Images
import Models
import Testing

@testable import Training

/// Gate (f): ten training losses within 1e-4 of the diffusers twin, with identical noise, timesteps and captions.
@Suite struct TenLossesTests {
  @Test(arguments: ["ti-epsilon", "ti-velocity", "dti-epsilon", "dti-accumulated"])
  func agreesWithDiffusers(name: String) throws {
    let golden = try GoldenTraining(name)
    var settings = TrainingSettings(token: "<concept>", initializer: golden.settings.initializer)
    settings.method = try #require(TrainingMethod(rawValue: golden.settings.method))
    settings.learningRate = LearningRateSchedule(golden.settings.learningRate)
    settings.vectors = golden.settings.vectors
    let trainer = try Trainer(
      model: GoldenTraining.model(golden.settings.model), pictures: [TestPicture.concept()], settings: settings)
    #expect(golden.losses.count == 10)
    #expect(golden.batches.allSatisfy { $0.count == golden.settings.accumulate })
    expectClose(trainer.rows, golden.rows[0], 1e-6, "first rows")
    for (step, batches) in golden.batches.enumerated() {
      let loss = try #require(trainer.advance(on: batches)).loss
      let error = abs(loss / golden.losses[step] - 1)
      #expect(error <= 1e-4, "loss of step \(step + 1) is \(loss), diffusers' \(golden.losses[step])")
      expectClose(trainer.rows, golden.rows[step + 1], 1e-4, "rows after step \(step + 1)")
    }
  }

  @Test func captionsAreTokenizedAsTheTwin() throws {
    let golden = try GoldenTraining("dti-accumulated")
    let word = try LearnedWord("<concept>", vectors: 2, model: GoldenTraining.model(golden.settings.model))
    let templates = ["a photo of a {}", "a cropped photo of the {}", "a dark photo of the {}", "a rendition of a {}"]
    let captions = try templates.map { try word.ids(of: $0) }
    let used = golden.batches.joined().flatMap(\.ids)
    #expect(used.allSatisfy(captions.contains))
    #expect(captions.allSatisfy(used.contains))
  }

  private func expectClose(_ values: [Double], _ expected: [Double], _ tolerance: Double, _ what: String) {
    let largest = expected.map(abs).max() ?? 0
    let difference = zip(values, expected).map { abs($0 - $1) }.max() ?? .infinity
    #expect(values.count == expected.count && difference <= tolerance * largest, "\(what) differ by \(difference)")
  }
}
