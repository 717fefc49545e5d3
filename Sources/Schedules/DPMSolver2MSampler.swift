import Errors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// DPM-Solver++(2M), the midpoint variant (Lu et al. 2022), as diffusers' DPMSolverMultistepScheduler: of the
/// probability flow, or of the equation with noise.
public struct DPMSolver2MSampler: Sampler {
  public let initialNoiseScale: Float = 1
  private let schedule: NoiseSchedule
  private let plan: SigmaPlan
  private let isStochastic: Bool
  /// Fewer steps than this end with a first-order step, for stability.
  private static let fewSteps = 15
  /// The clean latents that the step before predicted.
  private var previous: [Float]?

  /// - Parameter spacing: nil does what the model's config says.
  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(
    _ schedule: NoiseSchedule, steps: Int, spacing: SigmaSpacing? = nil, stochastic: Bool = false
  ) throws(InversionError) {
    try schedule.check(steps: steps)
    self.schedule = schedule
    isStochastic = stochastic
    plan = .whole(
      schedule, steps: steps, spacing: spacing, end: SigmaTable(schedule).end(schedule.config), cutsCosine: true)
  }

  public var steps: Int { plan.timesteps.count }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    NoiseLevel(plan.sigmas[step]).noised(clean, with: noise)
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let (from, to) = (NoiseLevel(plan.sigmas[step]), NoiseLevel(plan.sigmas[step + 1]))
    let factors = schedule.cleanFactors(alpha: from.alpha, sigma: from.sigma)
    let prediction = predict(latents, Float(plan.timesteps[step]))
    let clean = combination(factors.latents, latents, factors.prediction, prediction)
    // next = (sigma' / sigma) latents + alpha' (1 - exp(-h)) D, with D = clean in first order. With noise, the latents
    // fade twice as fast and the noise fills up what is missing.
    let h = to.lambda - from.lambda
    let fading = isStochastic ? 2 * h : h
    let gain = -to.alpha * expm1(-fading)
    blend(&latents, to.sigma / from.sigma * (isStochastic ? exp(-h) : 1), clean, gain)
    if let previous, !isFirstOrder(step) {
      // Second order: D = clean + (clean - previous) h / (2 h before).
      let ratio = h / (from.lambda - NoiseLevel(plan.sigmas[step - 1]).lambda)
      blend(&latents, 1, clean, 0.5 * gain * ratio)
      blend(&latents, 1, previous, -0.5 * gain * ratio)
    }
    if isStochastic && to.sigma > 0 { blend(&latents, 1, noise(), to.sigma * (-expm1(-fading)).squareRoot()) }
    previous = clean
  }

  private func isFirstOrder(_ step: Int) -> Bool {
    step == steps - 1 && (steps < Self.fewSteps || plan.sigmas[step + 1] == 0)
  }
}

/// A noise level as latents = alpha * clean + sigma * noise, with lambda = log(alpha / sigma).
struct NoiseLevel {
  let alpha: Double
  let sigma: Double
  let lambda: Double

  /// - Parameter ratio: sigma / alpha
  init(_ ratio: Double) {
    alpha = 1 / (ratio * ratio + 1).squareRoot()
    sigma = ratio * alpha
    lambda = -log(ratio)
  }

  func noised(_ clean: [Float], with noise: [Float]) -> [Float] { combination(alpha, clean, sigma, noise) }
}
