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
  /// (B, h, w), each picture's of mean 1; empty where all pixels count alike.
  var masks: [Float] = []
  /// (B); empty where all pictures count alike.
  var weights: [Float] = []

  var size: Int { timesteps.count }
  var elements: Int { latents.count / size }

  /// How much an element of the latents counts.
  func mask(_ element: Int) -> Float { masks.isEmpty ? 1 : masks[element / shape[2]] }
}

/// The mean squared error of the network's prediction: what Textual Inversion makes small.
struct DenoisingLoss {
  let model: DiffusionModel
  let memory: WorkingMemory
  /// For a word of negative prompts: its own prompt, and how strongly it is kept away from.
  var negative: NegativePrompt?

  /// A prompt that stands against the captions in classifier-free guidance (CFG), as DreamArtist trains one.
  struct NegativePrompt: Sendable {
    /// (tokens), with the learned word.
    let ids: [Int]
    let guidanceScale: Float
  }

  /// What a pass gives.
  struct Result {
    /// Weighted, over the batch.
    let loss: Double
    /// Of each picture, without the weights of timesteps.
    let pictures: [Double]
    /// (n, width)
    let gradient: [Double]
  }

  /// The loss over a batch, and its gradient with respect to `rows` (n, width).
  func lossAndGradient(_ batch: TrainingBatch, rows: [Double]) -> Result {
    let tape = memory.makeTape(
      backThrough: model.unet, batch: batch.size, height: batch.shape[0], width: batch.shape[1])
    let width = model.textEncoder.config.hiddenSize
    let learned = tape.variable([rows.count / width, width], rows)
    let prediction = predict(batch, learned: learned, on: tape)
    let differences = differences(guided(prediction, batch), batch)
    let (loss, slopes) = weighted(differences, batch)
    let share = negative.map { 1 - $0.guidanceScale } ?? 1
    tape.backward([(prediction, tape.constant(prediction.shape, slopes.map { share * $0 }))])
    let gradient = tape.gradient(of: learned)?.doubles ?? rows.map { _ in 0 }
    return Result(loss: loss, pictures: pictureLosses(differences, batch), gradient: gradient)
  }

  /// The loss of each picture of a batch, masks taken into account, weights of timesteps not. `rows` may be empty when
  /// no caption has a learned word.
  func losses(_ batch: TrainingBatch, rows: [Double]) -> [Double] {
    let tape = memory.makeTape()
    let width = model.textEncoder.config.hiddenSize
    let learned = rows.isEmpty ? nil : tape.constant([rows.count / width, width], rows.map(Float.init))
    let differences = differences(guided(predict(batch, learned: learned, on: tape), batch), batch)
    return pictureLosses(differences, batch)
  }

  private func pictureLosses(_ differences: [Float], _ batch: TrainingBatch) -> [Double] {
    (0..<batch.size).map { picture in
      let range = picture * batch.elements..<(picture + 1) * batch.elements
      return range.reduce(0) { sum, index in
        sum + Double(batch.mask(index)) * Double(differences[index]) * Double(differences[index])
      } / Double(batch.elements)
    }
  }

  /// The prediction that depends on the learned rows: under the captions, or under the negative prompt.
  private func predict(_ batch: TrainingBatch, learned: Activation?, on tape: Tape) -> Activation {
    predict(
      batch, ids: negative.map { negative in batch.ids.map { _ in negative.ids } } ?? batch.ids, learned, on: tape)
  }

  private func predict(
    _ batch: TrainingBatch, ids: [[Int]], _ learned: Activation?, on tape: Tape
  ) -> Activation {
    let noisy = eachPicture(batch) { picture, range in
      model.schedule.addNoise(
        Array(batch.noise[range]), to: Array(batch.latents[range]), timestep: batch.timesteps[picture])
    }
    let states = memory.states(model, ids, learned: learned, on: tape)
    return model.unet(
      tape.constant([batch.size] + batch.shape, noisy), timesteps: batch.timesteps.map(Float.init),
      ConstantContext(states), on: tape)
  }

  /// What the sampler would use: the prediction itself, or for a negative word negative + scale (caption - negative).
  private func guided(_ prediction: Activation, _ batch: TrainingBatch) -> [Float] {
    guard let scale = negative?.guidanceScale else { return prediction.floats }
    let captioned = predict(batch, ids: batch.ids, nil, on: memory.makeTape())
    return zip(prediction.floats, captioned.floats).map { $0 + scale * ($1 - $0) }
  }

  private func differences(_ prediction: [Float], _ batch: TrainingBatch) -> [Float] {
    let target = eachPicture(batch) { picture, range in
      model.schedule.target(
        latents: Array(batch.latents[range]), noise: Array(batch.noise[range]), timestep: batch.timesteps[picture])
    }
    return zip(prediction, target).map { $0 - $1 }
  }

  /// The mean of weight times squared difference, and its slope at each element.
  private func weighted(_ differences: [Float], _ batch: TrainingBatch) -> (loss: Double, slopes: [Float]) {
    let slope = 2 / Float(differences.count)
    if batch.masks.isEmpty, batch.weights.isEmpty {
      let sum = differences.reduce(0) { $0 + Double($1) * Double($1) }
      return (sum / Double(differences.count), differences.map { slope * $0 })
    }
    var (sum, slopes) = (0.0, differences)
    for index in differences.indices {
      let weight = batch.mask(index) * (batch.weights.isEmpty ? 1 : batch.weights[index / batch.elements])
      sum += Double(weight) * Double(differences[index]) * Double(differences[index])
      slopes[index] = slope * weight * differences[index]
    }
    return (sum / Double(differences.count), slopes)
  }

  private func eachPicture(_ batch: TrainingBatch, _ body: (Int, Range<Int>) -> [Float]) -> [Float] {
    (0..<batch.size).flatMap { picture in
      body(picture, picture * batch.elements..<(picture + 1) * batch.elements)
    }
  }
}
