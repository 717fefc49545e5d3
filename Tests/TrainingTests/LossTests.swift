import Images
import Models
import Testing

@testable import Training

@Suite struct LossTests {
  private let model: DiffusionModel
  private let word: LearnedWord
  private let rows: [Double]

  init() throws {
    model = try GoldenTraining.model("sd1-tiny")
    word = try LearnedWord("<spot>", vectors: 1, model: model)
    rows = model.textEncoder.embeddings.row(try model.initializerID("cat")).map(Double.init)
  }

  /// A batch whose prediction target can be changed at one latent pixel alone.
  private func batch(mask: [Float] = [], noiseAt change: Int? = nil) throws -> TrainingBatch {
    let latents = PictureLatents(TestPicture.picture(), model: model, memory: WorkingMemory())
    var noise = (0..<latents.count).map { Float($0 % 7) / 3 - 1 }
    var mean = latents.scaled(noise: latents.mean.map { _ in 0 })
    if let change {
      // Noise and latents change so that the noisy latents, and with them the prediction, stay as they are.
      let alpha = model.schedule.alphasCumprod[600]
      noise[change] += 1
      mean[change] -= Float(((1 - alpha) / alpha).squareRoot())
    }
    var batch = TrainingBatch(
      shape: latents.shape, latents: mean, noise: noise, timesteps: [600], ids: [try word.ids(of: "a {}")])
    batch.masks = mask
    return batch
  }

  @Test func whatIsOutsideOfTheMaskDoesNotCount() throws {
    let loss = DenoisingLoss(model: model, memory: WorkingMemory())
    let shape = try batch().shape
    let (pixels, channels) = (shape[0] * shape[1], shape[2])
    // The first half of the pixels, of mean 1.
    let mask = (0..<pixels).map { $0 < pixels / 2 ? Float(2) : 0 }
    let plain = loss.lossAndGradient(try batch(mask: mask), rows: rows)
    let outside = loss.lossAndGradient(try batch(mask: mask, noiseAt: pixels * channels - 1), rows: rows)
    let inside = loss.lossAndGradient(try batch(mask: mask, noiseAt: 0), rows: rows)
    #expect(abs(outside.loss - plain.loss) < 1e-5 * plain.loss)
    #expect(abs(inside.loss - plain.loss) > 1e-3 * plain.loss)
    let unmasked = loss.lossAndGradient(try batch(), rows: rows)
    let full = loss.lossAndGradient(try batch(mask: Array(repeating: 1, count: pixels)), rows: rows)
    #expect(full.gradient == unmasked.gradient && unmasked.gradient != plain.gradient)
  }

  @Test func weightsScaleLossAndGradientButNotThePicturesOwn() throws {
    let loss = DenoisingLoss(model: model, memory: WorkingMemory())
    var weighted = try batch()
    weighted.weights = [0.25]
    let (plain, light) = (loss.lossAndGradient(try batch(), rows: rows), loss.lossAndGradient(weighted, rows: rows))
    #expect(abs(light.loss / plain.loss - 0.25) < 1e-6 && light.pictures == plain.pictures)
    #expect(zip(light.gradient, plain.gradient).allSatisfy { abs($0 - 0.25 * $1) <= 1e-5 * abs($1) + 1e-9 })
  }

  /// Finite differences along the gradient: what guided prediction and context term say of their slope is true.
  private func expectSlope(_ gradient: [Double], of loss: ([Double]) -> Double, within tolerance: Double) {
    let length = norm(gradient[...])
    #expect(length > 0)
    let step = 1e-2
    func moved(_ sign: Double) -> [Double] { zip(rows, gradient).map { $0 + sign * step * $1 / length } }
    let slope = (loss(moved(1)) - loss(moved(-1))) / (2 * step)
    #expect(abs(slope / length - 1) < tolerance, "slope \(slope), gradient \(length)")
  }

  @Test func aNegativeWordIsTrainedThroughGuidance() throws {
    var loss = DenoisingLoss(model: model, memory: WorkingMemory())
    loss.negative = .init(ids: try model.framed(word.ids), guidanceScale: 3)
    let captioned = TrainingBatch(
      shape: try batch().shape, latents: try batch().latents, noise: try batch().noise, timesteps: [600],
      ids: [try model.captionIDs(of: "a {}", word: [try model.initializerID("dog")])])
    let result = loss.lossAndGradient(captioned, rows: rows)
    expectSlope(result.gradient, of: { loss.lossAndGradient(captioned, rows: $0).loss }, within: 0.02)
    // With the caption's own prompt as the negative one, guidance changes nothing.
    var same = loss
    same.negative = .init(ids: captioned.ids[0], guidanceScale: 3)
    var plain = loss
    plain.negative = nil
    #expect(abs(same.losses(captioned, rows: [])[0] / plain.losses(captioned, rows: [])[0] - 1) < 1e-4)
  }

  @Test func theContextTermIsZeroForTheInitializerAndItsSlopeIsTrue() throws {
    let dog = try model.initializerID("dog")
    let term = try ContextTerm(word: word.ids, initializer: [dog], model: model, memory: WorkingMemory())
    let own = model.textEncoder.embeddings.row(dog).map(Double.init)
    #expect(abs(term.lossAndGradient(rows: own, step: 0).loss) < 1e-6 && abs(term.drift(rows: own)) < 1e-6)
    #expect(term.drift(rows: rows) > 1e-4)
    let result = term.lossAndGradient(rows: rows, step: 1)
    expectSlope(result.gradient, of: { term.lossAndGradient(rows: $0, step: 1).loss }, within: 0.05)
    #expect(term.lossAndGradient(rows: rows, step: 2).loss != result.loss, "contexts take turns")
  }
}
