import Models
import Ops
import Tensors

/// Everything random of one pass: what the loss and its gradient are functions of, but for the learned rows.
struct TrainingBatch: Sendable {
  /// (h, w, channels)
  let shape: [Int]
  /// (B, h, w, channels), as the U-Net sees them.
  let latents: [Float]
  /// (B, h, w, channels)
  let noise: [Float]
  /// (B)
  let timesteps: [Int]
  /// (B, tokens)
  let ids: [[Int]]

  var size: Int { timesteps.count }
  var elements: Int { latents.count / size }
}

/// The mean squared error of the network's prediction: what Textual Inversion makes small.
struct DenoisingLoss {
  let model: DiffusionModel
  let memory: WorkingMemory

  /// The loss over a batch, and its gradient with respect to `rows` (n, width).
  func lossAndGradient(_ batch: TrainingBatch, rows: [Double]) -> (loss: Double, gradient: [Double]) {
    let tape = memory.makeTape(
      backThrough: model.unet, batch: batch.size, height: batch.shape[0], width: batch.shape[1])
    let width = model.textEncoder.config.hiddenSize
    let learned = tape.variable([rows.count / width, width], rows)
    let prediction = predict(batch, learned: learned, on: tape)
    let differences = differences(prediction, batch)
    let slope = 2 / Float(differences.count)
    tape.backward([(prediction, tape.constant(prediction.shape, differences.map { slope * $0 }))])
    let gradient = tape.gradient(of: learned)?.doubles ?? rows.map { _ in 0 }
    return (meanSquare(differences[...]), gradient)
  }

  /// The loss of each picture of a batch. `rows` may be empty when no caption has a learned word.
  func losses(_ batch: TrainingBatch, rows: [Double]) -> [Double] {
    let tape = memory.makeTape()
    let width = model.textEncoder.config.hiddenSize
    let learned = rows.isEmpty ? nil : tape.constant([rows.count / width, width], rows.map(Float.init))
    let differences = differences(predict(batch, learned: learned, on: tape), batch)
    return (0..<batch.size).map { meanSquare(differences[$0 * batch.elements..<($0 + 1) * batch.elements]) }
  }

  private func predict(_ batch: TrainingBatch, learned: Activation?, on tape: Tape) -> Activation {
    let noisy = eachPicture(batch) { picture, range in
      model.schedule.addNoise(
        Array(batch.noise[range]), to: Array(batch.latents[range]), timestep: batch.timesteps[picture])
    }
    let states = memory.states(model, batch.ids, learned: learned, on: tape)
    return model.unet(
      tape.constant([batch.size] + batch.shape, noisy), timesteps: batch.timesteps.map(Float.init),
      ConstantContext(states), on: tape)
  }

  private func differences(_ prediction: Activation, _ batch: TrainingBatch) -> [Float] {
    let target = eachPicture(batch) { picture, range in
      model.schedule.target(
        latents: Array(batch.latents[range]), noise: Array(batch.noise[range]), timestep: batch.timesteps[picture])
    }
    return zip(prediction.floats, target).map { $0 - $1 }
  }

  private func eachPicture(_ batch: TrainingBatch, _ body: (Int, Range<Int>) -> [Float]) -> [Float] {
    (0..<batch.size).flatMap { picture in
      body(picture, picture * batch.elements..<(picture + 1) * batch.elements)
    }
  }

  private func meanSquare(_ differences: ArraySlice<Float>) -> Double {
    differences.reduce(0) { $0 + Double($1) * Double($1) } / Double(differences.count)
  }
}
