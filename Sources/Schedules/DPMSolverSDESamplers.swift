import Errors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Samplers of k-diffusion that solve the equation with noise by DPM-Solver++ (Lu et al. 2022). With lambda =
// -log(sigma), latents at lambda + h are exp(-h) latents + (1 - exp(-h)) clean where the clean ones do not change.

/// DPM++ 2S a, as k-diffusion's `sample_dpmpp_2s_ancestral`: down with a look at the middle, then fresh noise.
public struct DPMSolver2SAncestralSampler: Sampler {
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
    var clean = space.clean(latents, sigma: sigma, timestep: space.timesteps[step], predict)
    guard down > 0 else {
      latents = clean
      return
    }
    let middle = space.middle(sigma, down)
    let half = combination(middle.sigma / sigma, latents, 1 - middle.sigma / sigma, clean)
    clean = space.clean(half, sigma: middle.sigma, timestep: middle.timestep, predict)
    blend(&latents, down / sigma, clean, 1 - down / sigma)
    if up > 0 { blend(&latents, 1, noise(), up) }
  }
}

/// DPM++ SDE, as k-diffusion's `sample_dpmpp_sde` and diffusers' DPMSolverSDEScheduler: an ancestral step to the
/// middle, then one over the whole with the clean latents seen there.
///
/// Both steps walk along one Brownian path: the noise of the whole step holds the noise of its first half.
public struct DPMSolverSDESampler: Sampler {
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
    let clean = space.clean(latents, sigma: sigma, timestep: space.timesteps[step], predict)
    guard next > 0 else {
      latents = clean
      return
    }
    let middle = space.middle(sigma, next)
    let first = noise()
    var half = latents
    Self.walk(&half, from: sigma, to: middle.sigma, clean, first)
    let seen = space.clean(half, sigma: middle.sigma, timestep: middle.timestep, predict)
    // A path from sigma to next has the variance sigma - next.
    let share = (sigma - middle.sigma) / (sigma - next)
    let whole = combination(share.squareRoot(), first, (1 - share).squareRoot(), noise())
    Self.walk(&latents, from: sigma, to: next, seen, whole)
  }

  /// An ancestral step.
  private static func walk(
    _ latents: inout [Float], from: Double, to: Double, _ clean: [Float], _ noise: [Float]
  ) {
    let (down, up) = SigmaSpace.ancestral(from: from, to: to)
    blend(&latents, down / from, clean, 1 - down / from)
    blend(&latents, 1, noise, up)
  }
}

/// DPM++ 3M SDE, as k-diffusion's `sample_dpmpp_3m_sde`: the clean latents are a parabola through those of three steps.
public struct DPMSolver3MSDESampler: Sampler {
  private let space: SigmaSpace
  /// The clean latents of the two steps before, the latest first.
  private var previous: [[Float]] = []

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
    let clean = space.clean(latents, sigma: sigma, timestep: space.timesteps[step], predict)
    guard next > 0 else {
      latents = clean
      return
    }
    let length = log(sigma / next)
    // With noise, the latents fade twice as fast and the noise fills up what is missing.
    let h = 2 * length
    blend(&latents, exp(-h), clean, -expm1(-h))
    addDerivatives(&latents, step, clean, length: length, h: h)
    blend(&latents, 1, noise(), next * (-expm1(-h)).squareRoot())
    previous = Array(([clean] + previous).prefix(2))
  }

  /// What the change of the clean latents over the steps before adds: their first and second derivative in units of
  /// this step, by phi functions.
  private func addDerivatives(_ latents: inout [Float], _ step: Int, _ clean: [Float], length: Double, h: Double) {
    guard let last = previous.first else { return }
    let slopeGain = expm1(-h) / h + 1
    let r0 = log(space.sigmas[step - 1] / space.sigmas[step]) / length
    guard previous.count > 1 else {
      blend(&latents, 1, combination(1, clean, -1, last), slopeGain / r0)
      return
    }
    let curveGain = 0.5 - slopeGain / h
    let r1 = log(space.sigmas[step - 2] / space.sigmas[step - 1]) / length
    let late = combination(1 / r0, clean, -1 / r0, last)
    let early = combination(1 / r1, last, -1 / r1, previous[1])
    let change = combination(1 / (r0 + r1), late, -1 / (r0 + r1), early)
    blend(&latents, 1, combination(1, late, r0, change), slopeGain)
    blend(&latents, 1, change, curveGain)
  }
}
