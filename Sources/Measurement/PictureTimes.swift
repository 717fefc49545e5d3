import Models
import Ops

/// How long the parts of one guided picture take, in seconds.
public struct PictureTimes: Sendable {
  public let size: Int
  /// Both prompts.
  public let text: Double
  /// The U-Net on prompt and negative prompt.
  public let step: Double
  public let decoding: Double
  /// Multiplications and additions of int8 layers in a step.
  public let int8Operations: Int
  /// Bytes of the int8 weights that a step reads.
  public let int8WeightBytes: Int
  /// Of this process, after the steps and in all.
  public let stepPeakBytes: Int
  public let peakBytes: Int
  /// The peak of activations.
  public let activationBytes: Int

  public func picture(steps: Int) -> Double { text + Double(steps) * step + decoding }
}

/// Measures a model's parts; `size` is the side of the picture in pixels.
public struct ModelMeasurement {
  private let model: DiffusionModel
  private let size: Int
  private let memory: WorkingMemory

  public init(_ model: DiffusionModel, size: Int, budget: MemoryBudget = .unlimited) {
    self.model = model
    self.size = size
    memory = WorkingMemory(budget)
  }

  private var side: Int { size / model.autoencoder.downsampling }

  private func latents(batch: Int, on tape: Tape) -> Activation {
    let channels = model.unet.config.inChannels
    let elements = (0..<batch * side * side * channels).map { index -> Float in Float(index % 17) / 8 - 1 }
    return tape.constant([batch, side, side, channels], elements)
  }

  /// - Throws: `promptTooLong`.
  public func picture(runs: Int) throws -> PictureTimes {
    let tape = memory.makeTape()
    let prompt = try model.framed([1, 2, 3])
    func encode() -> Activation { model.textEncoder([prompt, prompt], on: tape) }
    let text = medianSeconds(runs: runs) { _ = encode().pointer }
    let states = encode()
    _ = states.pointer
    model.releasePages(of: .textEncoder)
    let latents = latents(batch: 2, on: tape)
    func predict() { _ = model.unet(latents, timesteps: [500, 500], ConstantContext(states), on: tape).pointer }
    let step = medianSeconds(runs: runs, predict)
    let before = tape.int8Work
    predict()
    let (operations, weights) = (tape.int8Work.operations - before.operations, tape.int8Work.bytes - before.bytes)
    let stepPeak = peakResidentBytes
    model.releasePages(of: .unet)
    memory.pool.dropFree()
    let one = self.latents(batch: 1, on: tape)
    let decoding = medianSeconds(runs: runs) { _ = model.autoencoder.decode(one, on: tape).pointer }
    return PictureTimes(
      size: size, text: text, step: step, decoding: decoding, int8Operations: operations, int8WeightBytes: weights,
      stepPeakBytes: stepPeak, peakBytes: peakResidentBytes, activationBytes: memory.pool.usage.peak)
  }

  /// One picture and learned vector from caption to gradient, without the VAE: the median of `runs`, in seconds.
  /// - Throws: `promptTooLong`.
  public func trainingStep(runs: Int) throws -> Double {
    try medianSeconds(runs: runs) {
      let tape = memory.makeTape(backThrough: model.unet, batch: 1, height: side, width: side)
      let width = model.textEncoder.config.hiddenSize
      let learned = tape.variable([1, width], (0..<width).map { Double($0 % 5) / 50 })
      let caption = try model.framed([1, model.textEncoder.config.vocabSize, 2])
      let states = memory.states(model, [caption], learned: learned, on: tape)
      let prediction = model.unet(latents(batch: 1, on: tape), timesteps: [600], ConstantContext(states), on: tape)
      tape.backward([(prediction, gradient: prediction)])
      precondition(tape.gradient(of: learned) != nil)
    }
  }

  public var activationPeakBytes: Int { memory.pool.usage.peak }

  /// Where a step's time goes: each named part of the U-Net with its seconds, in order. Rows are made where a part
  /// ends, so the sum is a little more than a step.
  public func profile() throws -> [(part: String, seconds: Double)] {
    let tape = memory.makeTape()
    let prompt = try model.framed([1, 2, 3])
    let states = model.textEncoder([prompt, prompt], on: tape)
    let latents = latents(batch: 2, on: tape)
    func predict() { _ = model.unet(latents, timesteps: [500, 500], ConstantContext(states), on: tape).pointer }
    predict()
    var parts: [(String, Double)] = []
    var last = ContinuousClock.now
    tape.observer = { path, activation in
      _ = activation.pointer
      let now = ContinuousClock.now
      parts.append((path, (now - last) / .seconds(1)))
      last = now
    }
    predict()
    return parts
  }
}
