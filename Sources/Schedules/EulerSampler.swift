import Errors

/// Euler's method on the probability flow (Karras et al. 2022, algorithm 2 without churn), as diffusers'
/// EulerDiscreteScheduler.
public struct EulerSampler: Sampler {
  private let space: SigmaSpace

  /// - Parameter spacing: nil does what the model's config says.
  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int, spacing: SigmaSpacing? = nil) throws(InversionError) {
    try schedule.check(steps: steps)
    let end = SigmaTable(schedule).end(schedule.config)
    space = SigmaSpace(schedule, .interpolated(schedule, steps: steps, spacing: spacing, end: end))
  }

  public var steps: Int { space.timesteps.count }
  public var initialNoiseScale: Float { space.initialNoiseScale }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    space.noised(clean, with: noise, step: step)
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let (sigma, next) = (space.sigmas[step], space.sigmas[step + 1])
    let slope = space.slope(latents, sigma: sigma, timestep: space.timesteps[step], predict)
    blend(&latents, 1, slope, next - sigma)
  }
}

/// Euler's method with fresh noise after each step, as diffusers' EulerAncestralDiscreteScheduler.
public struct EulerAncestralSampler: Sampler {
  private let space: SigmaSpace

  /// - Parameter spacing: nil does what the model's config says.
  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int, spacing: SigmaSpacing? = nil) throws(InversionError) {
    try schedule.check(steps: steps)
    space = SigmaSpace(schedule, .interpolated(schedule, steps: steps, spacing: spacing))
  }

  public var steps: Int { space.timesteps.count }
  public var initialNoiseScale: Float { space.initialNoiseScale }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    space.noised(clean, with: noise, step: step)
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let sigma = space.sigmas[step]
    let (down, up) = SigmaSpace.ancestral(from: sigma, to: space.sigmas[step + 1])
    let slope = space.slope(latents, sigma: sigma, timestep: space.timesteps[step], predict)
    blend(&latents, 1, slope, down - sigma)
    if up > 0 { blend(&latents, 1, noise(), up) }
  }
}
