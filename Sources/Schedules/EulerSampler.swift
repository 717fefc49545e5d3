import Errors

/// Euler's method on the probability flow (Karras et al. 2022, algorithm 2 without churn), as diffusers'
/// EulerDiscreteScheduler.
public struct EulerSampler: Sampler {
  public let timesteps: [Float]
  public let initialNoiseScale: Float
  private let schedule: NoiseSchedule
  /// One more than steps.
  let sigmas: [Double]

  /// - Parameter karras: spread the sigmas after Karras et al.; nil does what the model's config says.
  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int, karras: Bool? = nil) throws(InversionError) {
    try schedule.check(steps: steps)
    let table = SigmaTable(schedule)
    let spacing = schedule.config.timestepSpacing ?? .linspace
    var times = Self.timesteps(schedule, steps, spacing)
    var sigmas = times.map(table.sigma(at:))
    if karras ?? schedule.config.useKarrasSigmas {
      sigmas = table.karras(steps, from: sigmas[0], to: sigmas[steps - 1])
      times = sigmas.map(table.timestep(of:))
    }
    self.schedule = schedule
    self.timesteps = times.map(Float.init)
    self.sigmas = sigmas + [table.final(schedule.config)]
    // With leading timesteps, the first latents are taken to hold some signal already.
    let largest = sigmas.max() ?? 0
    initialNoiseScale = Float(spacing == .leading ? (largest * largest + 1).squareRoot() : largest)
  }

  private static func timesteps(_ schedule: NoiseSchedule, _ steps: Int, _ spacing: TimestepSpacing) -> [Double] {
    guard spacing == .linspace else { return schedule.wholeTimesteps(steps, spacing: spacing).map(Double.init) }
    return linspace(0, Double(schedule.trainTimesteps - 1), steps).reversed()
  }

  public func scaledInput(_ latents: [Float], step: Int) -> [Float] {
    let scale = Float(1 / (sigmas[step] * sigmas[step] + 1).squareRoot())
    return latents.map { $0 * scale }
  }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    var latents = clean
    blend(&latents, 1, noise, sigmas[step])
    return latents
  }

  public mutating func step(_ step: Int, prediction: [Float], latents: inout [Float]) {
    let sigma = sigmas[step]
    // The latents here are the network's, alpha * clean + alpha * sigma * noise, divided by alpha.
    let alpha = 1 / (sigma * sigma + 1).squareRoot()
    let factors = schedule.cleanFactors(alpha: alpha, sigma: sigma * alpha)
    // latents + (next - sigma) * (latents - clean) / sigma
    let move = (sigmas[step + 1] - sigma) / sigma
    blend(&latents, 1 + move * (1 - alpha * factors.latents), prediction, -move * factors.prediction)
  }
}
