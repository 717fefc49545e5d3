import Errors

/// DDIM without added noise (Song et al. 2020), as diffusers' DDIMScheduler.
public struct DDIMSampler: Sampler {
  public let initialNoiseScale: Float = 1
  private let timesteps: [Int]
  private let schedule: NoiseSchedule
  /// Training timesteps between two steps.
  private let stride: Int

  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int) throws(InversionError) {
    try schedule.check(steps: steps)
    self.schedule = schedule
    stride = schedule.trainTimesteps / steps
    timesteps = schedule.wholeTimesteps(steps, spacing: schedule.config.timestepSpacing ?? .leading)
  }

  public var steps: Int { timesteps.count }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    schedule.addNoise(noise, to: clean, timestep: timesteps[step])
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let timestep = timesteps[step]
    let prediction = predict(latents, Float(timestep))
    latents = schedule.moved(latents, prediction, from: timestep, to: timestep - stride)
  }
}

extension NoiseSchedule {
  /// The latents of another timestep that have the same clean latents and the same noise (DDIM's equation 12, PNDM's
  /// equation 9).
  /// - Parameter to: may be before the first timestep.
  func moved(_ latents: [Float], _ prediction: [Float], from: Int, to: Int) -> [Float] {
    let alpha = alphasCumprod[from]
    let nextAlpha = to >= 0 ? alphasCumprod[to] : config.setAlphaToOne ? 1 : alphasCumprod[0]
    let (signal, noise) = (alpha.squareRoot(), (1 - alpha).squareRoot())
    let (nextSignal, nextNoise) = (nextAlpha.squareRoot(), (1 - nextAlpha).squareRoot())
    // nextSignal * clean + nextNoise * epsilon, with both as factors of latents and prediction.
    let clean = cleanFactors(alpha: signal, sigma: noise)
    let epsilon = noiseFactors(alpha: signal, sigma: noise)
    return combination(
      nextSignal * clean.latents + nextNoise * epsilon.latents, latents,
      nextSignal * clean.prediction + nextNoise * epsilon.prediction, prediction)
  }
}
