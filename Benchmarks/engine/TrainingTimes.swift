import Kernels
import Models
import Ops

/// Times one training step's two passes, without the VAE: what other trainers' figures are set beside.
struct TrainingTimes {
  let model: DiffusionModel
  let size: Int

  /// Caption to gradient of one learned vector, batch 1.
  func step(_ memory: WorkingMemory) throws {
    let side = size / model.autoencoder.downsampling
    let tape = memory.makeTape(backThrough: model.unet, batch: 1, height: side, width: side)
    let width = model.textEncoder.config.hiddenSize
    let learned = tape.variable([1, width], (0..<width).map { Double($0 % 5) / 50 })
    let caption = try model.framed([1, model.textEncoder.config.vocabSize, 2])
    let states = model.textEncoder([caption], learned: learned, on: tape)
    let channels = model.unet.config.inChannels
    let latents = (0..<side * side * channels).map { index -> Float in Float(index % 17) / 8 - 1 }
    let prediction = model.unet(
      tape.constant([1, side, side, channels], latents), timesteps: [600], ConstantContext(states), on: tape)
    tape.backward([(prediction, gradient: prediction)])
    precondition(tape.gradient(of: learned) != nil)
  }
}
