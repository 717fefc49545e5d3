import Errors

/// Heun's method (Karras et al. 2022, algorithm 2 without churn), as diffusers' HeunDiscreteScheduler: the slope is the
/// mean of those at both ends of the step. The last step is Euler's.
public struct HeunSampler: Sampler {
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
    let (sigma, next) = (space.sigmas[step], space.sigmas[step + 1])
    let slope = space.slope(latents, sigma: sigma, timestep: space.timesteps[step], predict)
    let end = combination(1, latents, next - sigma, slope)
    guard next > 0 else {
      latents = end
      return
    }
    let endSlope = space.slope(end, sigma: next, timestep: space.timesteps[step + 1], predict)
    blend(&latents, 1, combination(0.5, slope, 0.5, endSlope), next - sigma)
  }
}

/// The second-order method of k-diffusion with a look at the middle of each step, as diffusers'
/// KDPM2DiscreteScheduler and, with fresh noise after each step, KDPM2AncestralDiscreteScheduler.
public struct DPM2Sampler: Sampler {
  private let space: SigmaSpace
  private let isAncestral: Bool

  /// - Parameter spacing: nil does what the model's config says.
  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(
    _ schedule: NoiseSchedule, steps: Int, spacing: SigmaSpacing? = nil, ancestral: Bool
  ) throws(InversionError) {
    try schedule.check(steps: steps)
    space = SigmaSpace(schedule, .interpolated(schedule, steps: steps, spacing: spacing, roundsKarras: true))
    isAncestral = ancestral
  }

  public var steps: Int { space.timesteps.count }
  public var initialNoiseScale: Float { space.initialNoiseScale }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    space.noised(clean, with: noise, step: step)
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let (sigma, next) = (space.sigmas[step], space.sigmas[step + 1])
    let (down, up) = isAncestral ? SigmaSpace.ancestral(from: sigma, to: next) : (next, 0)
    var slope = space.slope(latents, sigma: sigma, timestep: space.timesteps[step], predict)
    if down > 0 {
      let middle = space.middle(sigma, down)
      slope = space.slope(
        combination(1, latents, middle.sigma - sigma, slope), sigma: middle.sigma, timestep: middle.timestep, predict)
    }
    blend(&latents, 1, slope, down - sigma)
    if up > 0 { blend(&latents, 1, noise(), up) }
  }
}
