import Models
import Testing

@testable import Training

/// What a batch's settings change in it, and what they leave.
@Suite struct BatchSourceTests {
  private let model: DiffusionModel

  init() throws { model = try GoldenTraining.model("sd1-tiny") }

  private func batch(_ change: (inout BatchSource.Plan) -> Void = { _ in }) -> TrainingBatch {
    let items = (0..<2).map { number in
      BatchSource.Item(
        views: [PictureLatents(TestPicture.picture(number), model: model, memory: WorkingMemory())],
        captions: [Caption("a {}", words: "", model: model)])
    }
    var plan = BatchSource.Plan(timesteps: 0..<1000, word: [model.textEncoder.config.vocabSize])
    change(&plan)
    var source = BatchSource(items, plan: plan, seed: 7, model: model)
    return source.next(4)
  }

  @Test func offsetNoiseShiftsWholeChannels() {
    let (plain, shifted) = (batch(), batch { $0.loss.offsetNoise = 0.1 })
    let channels = plain.shape[2]
    #expect(shifted.latents == plain.latents && shifted.timesteps == plain.timesteps)
    let shifts = zip(shifted.noise, plain.noise).map { $0 - $1 }
    for index in shifts.indices {
      let first = index / plain.elements * plain.elements + index % channels
      #expect(abs(shifts[index] - shifts[first]) < 1e-5)
    }
    let distinct = Set((0..<4).flatMap { picture in (0..<channels).map { shifts[picture * plain.elements + $0] } })
    #expect(distinct.count == 4 * channels && distinct.allSatisfy { abs($0) < 0.5 }, "a draw each, of deviation 0.1")
  }

  @Test func minSNRWeighsTimesteps() {
    let (plain, weighted) = (batch(), batch { $0.loss.minSNR = 0.1 })
    #expect(plain.weights.isEmpty && weighted.noise == plain.noise)
    let expected = weighted.timesteps.map { Float(model.schedule.minSNRWeight($0, gamma: 0.1)) }
    #expect(weighted.weights == expected && Set(expected).count > 1)
  }

  @Test func timestepsStayInTheirWindow() {
    #expect(batch { $0.timesteps = 20..<22 }.timesteps.allSatisfy { (20..<22).contains($0) })
  }

  @Test func aNegativeWordIsNotInTheCaptions() {
    let learned = model.textEncoder.config.vocabSize
    #expect(batch().ids.allSatisfy { $0.contains(learned) })
    #expect(batch { $0.positiveWord = [3] }.ids.allSatisfy { !$0.contains(learned) && $0.contains(3) })
  }
}
