import Errors

/// Ancestral sampling of Ho et al. 2020 with the smaller of the two fixed variances, as diffusers' DDPMScheduler.
public struct DDPMSampler: Sampler {
  public let initialNoiseScale: Float = 1
  private let schedule: NoiseSchedule
  private let timesteps: [Int]

  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int) throws(InversionError) {
    try schedule.check(steps: steps)
    self.schedule = schedule
    timesteps = schedule.wholeTimesteps(steps, spacing: schedule.config.timestepSpacing ?? .leading)
  }

  public var steps: Int { timesteps.count }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    schedule.addNoise(noise, to: clean, timestep: timesteps[step])
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let alpha = schedule.alphasCumprod[timesteps[step]]
    let isLast = step == steps - 1
    let nextAlpha = isLast ? 1 : schedule.alphasCumprod[timesteps[step + 1]]
    let prediction = predict(latents, Float(timesteps[step]))
    let factors = schedule.cleanFactors(alpha: alpha.squareRoot(), sigma: (1 - alpha).squareRoot())
    let clean = combination(factors.latents, latents, factors.prediction, prediction)
    // Equation 7: the mean of what went before, given these latents and the clean ones.
    let beta = 1 - alpha / nextAlpha
    blend(
      &latents, (1 - beta).squareRoot() * (1 - nextAlpha) / (1 - alpha), clean,
      nextAlpha.squareRoot() * beta / (1 - alpha))
    if !isLast { blend(&latents, 1, noise(), (beta * (1 - nextAlpha) / (1 - alpha)).squareRoot()) }
  }
}
