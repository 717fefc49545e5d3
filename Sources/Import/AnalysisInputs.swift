import Errors
import Models
import Ops
import Schedules

/// Inputs as a model meets them: prompts, and the latents of a guided denoising from seeded noise.
struct AnalysisInputs {
  /// What the U-Net sees at one step: both halves of a guided batch.
  struct Step {
    let latents: [Float]
    let timestep: Float
    let prompt: Int
  }

  static let prompts = ["a photo of a fox", "a sketch of a rose on a blue background"]
  /// What most users ask for.
  private static let guidance: Float = 7.5

  let model: DiffusionModel
  let tape: Tape
  /// (height, width, channels) of the latents.
  let latentShape: [Int]
  /// Token ids of the empty prompt and of each prompt.
  let ids: [[Int]]

  init(model: DiffusionModel, tape: Tape) throws {
    self.model = model
    self.tape = tape
    let side = model.nativeSize / model.autoencoder.downsampling
    latentShape = [side, side, model.unet.config.inChannels]
    ids = try ([""] + Self.prompts).map { prompt in
      try model.framed(model.tokenizer.encode(prompt).map(Int.init).prefix(model.promptRoom).map { $0 })
    }
  }

  /// Hidden states of the empty prompt and of a prompt: (2, tokens, C).
  func states(prompt: Int) -> Activation { model.textEncoder([ids[0], ids[1 + prompt]], on: tape) }

  /// The prediction for both halves: (2, H, W, C).
  func prediction(_ step: Step, _ states: Activation) -> [Float] {
    model.unet(
      tape.constant([2] + latentShape, step.latents + step.latents), timesteps: [step.timestep, step.timestep],
      ConstantContext(states), on: tape
    ).floats
  }

  /// Denoises a prompt in `count` steps. Returns the final latents, and calls `body` with each step and its prediction.
  func denoise(
    prompt: Int, steps count: Int, _ states: Activation, _ body: (Step, [Float]) -> Void
  ) throws -> [Float] {
    var sampler = try DDIMSampler(model.schedule, steps: count)
    var noise = PhiloxNoise(seed: UInt64(prompt))
    let elements = latentShape.reduce(1, *)
    var latents = rowsFromPlanes(noise.normal(elements), 1, latentShape[2], latentShape[0], latentShape[1])
    for index in 0..<count {
      sampler.step(
        index, latents: &latents,
        predict: { input, timestep in
          let step = Step(latents: input, timestep: timestep, prompt: prompt)
          let both = prediction(step, states)
          body(step, both)
          return (0..<elements).map { both[$0] + Self.guidance * (both[elements + $0] - both[$0]) }
        }, noise: { preconditionFailure("DDIM draws none") })
    }
    guard latents.allSatisfy(\.isFinite) else {
      throw InversionError(.badModel, "'\(model.name)' gave values that are not finite; check its weights")
    }
    return latents
  }

  /// The picture of final latents, (1, H, W, 3), about -1...1.
  func picture(_ latents: [Float]) -> Activation {
    let (scale, shift) = (model.autoencoder.config.scalingFactor, model.autoencoder.config.shiftFactor)
    return model.autoencoder.decode(tape.constant([1] + latentShape, latents.map { $0 / scale + shift }), on: tape)
  }
}
