import Errors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// DPM-Solver++(2M), the midpoint variant (Lu et al. 2022), as diffusers' DPMSolverMultistepScheduler by default.
public struct DPMSolver2MSampler: Sampler {
  public let timesteps: [Float]
  public let initialNoiseScale: Float = 1
  private let schedule: NoiseSchedule
  /// One more than steps.
  let sigmas: [Double]
  /// Fewer steps than this end with a first-order step, for stability.
  private static let fewSteps = 15
  /// The clean latents that the step before predicted.
  private var previous: [Float]?

  /// - Parameter karras: spread the sigmas after Karras et al.; nil does what the model's config says.
  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int, karras: Bool? = nil) throws(InversionError) {
    try schedule.check(steps: steps)
    let table = SigmaTable(schedule)
    let times: [Double]
    if karras ?? schedule.config.useKarrasSigmas {
      let karras = table.karras(steps)
      sigmas = karras + [table.final(schedule.config)]
      // diffusers rounds them, except for the cosine schedule, whose fractions it then cuts off.
      let cut: FloatingPointRoundingRule =
        schedule.config.betaSchedule == .squaredCosine ? .towardZero : .toNearestOrEven
      times = karras.map { table.timestep(of: $0).rounded(cut) }
    } else {
      times = Self.timesteps(schedule, steps).map(Double.init)
      sigmas = times.map(table.sigma(at:)) + [table.final(schedule.config)]
    }
    self.schedule = schedule
    timesteps = times.map(Float.init)
  }

  /// As DDIM's, except that the last of one more point is left out.
  private static func timesteps(_ schedule: NoiseSchedule, _ steps: Int) -> [Int] {
    switch schedule.config.timestepSpacing ?? .linspace {
    case .linspace: Array(schedule.wholeTimesteps(steps + 1, spacing: .linspace).dropLast())
    case .leading: schedule.leading(steps, of: steps + 1)
    case .trailing: schedule.wholeTimesteps(steps, spacing: .trailing)
    }
  }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    let level = Level(sigmas[step])
    var latents = clean
    blend(&latents, level.alpha, noise, level.sigma)
    return latents
  }

  public mutating func step(_ step: Int, prediction: [Float], latents: inout [Float]) {
    let (from, to) = (Level(sigmas[step]), Level(sigmas[step + 1]))
    let factors = schedule.cleanFactors(alpha: from.alpha, sigma: from.sigma)
    var clean = latents
    blend(&clean, factors.latents, prediction, factors.prediction)
    // next = (sigma' / sigma) latents - alpha' (exp(-h) - 1) D, with D = clean in first order.
    let h = to.lambda - from.lambda
    let gain = -to.alpha * expm1(-h)
    blend(&latents, to.sigma / from.sigma, clean, gain)
    if let previous, !isFirstOrder(step) {
      // Second order: D = clean + (clean - previous) h / (2 h before).
      let ratio = h / (from.lambda - Level(sigmas[step - 1]).lambda)
      blend(&latents, 1, clean, 0.5 * gain * ratio)
      blend(&latents, 1, previous, -0.5 * gain * ratio)
    }
    previous = clean
  }

  private func isFirstOrder(_ step: Int) -> Bool {
    let isLast = step == timesteps.count - 1
    return isLast && (timesteps.count < Self.fewSteps || sigmas[step + 1] == 0)
  }

  /// A noise level as latents = alpha * clean + sigma * noise, with lambda = log(alpha / sigma).
  private struct Level {
    let alpha: Double
    let sigma: Double
    let lambda: Double

    /// - Parameter ratio: sigma / alpha
    init(_ ratio: Double) {
      alpha = 1 / (ratio * ratio + 1).squareRoot()
      sigma = ratio * alpha
      lambda = -log(ratio)
    }
  }
}
