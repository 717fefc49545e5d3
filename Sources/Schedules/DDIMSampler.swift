import Errors

/// DDIM without added noise (Song et al. 2020), as diffusers' DDIMScheduler.
public struct DDIMSampler: Sampler {
  public let timesteps: [Float]
  public let initialNoiseScale: Float = 1
  private let schedule: NoiseSchedule
  /// Training timesteps between two steps.
  private let stride: Int

  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int) throws(InversionError) {
    try schedule.check(steps: steps)
    self.schedule = schedule
    stride = schedule.trainTimesteps / steps
    timesteps = schedule.wholeTimesteps(steps, spacing: schedule.config.timestepSpacing ?? .leading).map(Float.init)
  }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    schedule.addNoise(noise, to: clean, timestep: Int(timesteps[step]))
  }

  public mutating func step(_ step: Int, prediction: [Float], latents: inout [Float]) {
    let timestep = Int(timesteps[step])
    let alpha = schedule.alphasCumprod[timestep]
    let nextAlpha = alphaCumprod(at: timestep - stride)
    let (signal, noise) = (alpha.squareRoot(), (1 - alpha).squareRoot())
    let (nextSignal, nextNoise) = (nextAlpha.squareRoot(), (1 - nextAlpha).squareRoot())
    // next = nextSignal * clean + nextNoise * epsilon, with both as factors of latents and prediction.
    let clean = schedule.cleanFactors(alpha: signal, sigma: noise)
    let epsilon = epsilonFactors(clean, signal: signal, noise: noise)
    blend(
      &latents, nextSignal * clean.latents + nextNoise * epsilon.latents, prediction,
      nextSignal * clean.prediction + nextNoise * epsilon.prediction)
  }

  private func alphaCumprod(at timestep: Int) -> Double {
    if timestep >= 0 { return schedule.alphasCumprod[timestep] }
    return schedule.config.setAlphaToOne ? 1 : schedule.alphasCumprod[0]
  }

  private func epsilonFactors(
    _ clean: (latents: Double, prediction: Double), signal: Double, noise: Double
  ) -> (latents: Double, prediction: Double) {
    switch schedule.predictionType {
    case .epsilon: (0, 1)
    case .velocity: (noise, signal)
    case .sample: (1 / noise, -signal / noise)
    }
  }
}
