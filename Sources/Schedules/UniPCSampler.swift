import Errors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// UniPC (Zhao et al. 2023) of order 2 with B(h) = exp(h) - 1, as diffusers' UniPCMultistepScheduler: each prediction
/// first corrects the step that led to it, and costs no further call.
public struct UniPCSampler: Sampler {
  public let initialNoiseScale: Float = 1
  private static let order = 2
  private let schedule: NoiseSchedule
  private let plan: SigmaPlan
  /// The clean latents of the steps before, the latest first.
  private var clean: [[Float]] = []
  /// Latents before the latest step, and its order.
  private var last: (latents: [Float], order: Int)?

  /// - Parameter spacing: nil does what the model's config says.
  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int, spacing: SigmaSpacing? = nil) throws(InversionError) {
    try schedule.check(steps: steps)
    self.schedule = schedule
    plan = .whole(schedule, steps: steps, spacing: spacing, end: SigmaTable(schedule).end(schedule.config))
  }

  public var steps: Int { plan.timesteps.count }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    level(step).noised(clean, with: noise)
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let level = level(step)
    let factors = schedule.cleanFactors(alpha: level.alpha, sigma: level.sigma)
    let prediction = predict(latents, Float(plan.timesteps[step]))
    let seen = combination(factors.latents, latents, factors.prediction, prediction)
    if let last { latents = corrected(step, last.latents, order: last.order, seen) }
    clean = Array(([seen] + clean).prefix(Self.order))
    let order = min(clean.count, steps - step)
    last = (latents, order)
    predictNext(step, order: order, &latents)
  }

  /// UniP: the step from `step` to the next.
  private func predictNext(_ step: Int, order: Int, _ latents: inout [Float]) {
    let (from, to) = (level(step), level(step + 1))
    let h = to.lambda - from.lambda
    let gain = -to.alpha * expm1(-h)
    blend(&latents, to.sigma / from.sigma, clean[0], gain)
    guard order > 1 else { return }
    let r = (level(step - 1).lambda - from.lambda) / h
    blend(&latents, 1, combination(1, clean[1], -1, clean[0]), 0.5 * gain / r)
  }

  /// UniC: the step to `step` again, now that the clean latents at its end have been seen.
  private func corrected(_ step: Int, _ start: [Float], order: Int, _ seen: [Float]) -> [Float] {
    let (from, to) = (level(step - 1), level(step))
    let h = to.lambda - from.lambda
    let gain = -to.alpha * expm1(-h)
    var latents = combination(to.sigma / from.sigma, start, gain, clean[0])
    let change = combination(1, seen, -1, clean[0])
    guard order > 1 else {
      blend(&latents, 1, change, 0.5 * gain)
      return latents
    }
    // rho0 + rho1 = b1 and r rho0 + rho1 = b2 make the step exact for clean latents that are a parabola in lambda.
    let r = (level(step - 2).lambda - from.lambda) / h
    let bOfH = expm1(-h)
    let phi2 = -bOfH / h - 1
    let (b1, b2) = (phi2 / bOfH, 2 * (-phi2 / h - 0.5) / bOfH)
    let rho0 = (b1 - b2) / (1 - r)
    blend(&latents, 1, combination(1, clean[1], -1, clean[0]), rho0 / r * gain)
    blend(&latents, 1, change, (b1 - rho0) * gain)
    return latents
  }

  private func level(_ step: Int) -> NoiseLevel { NoiseLevel(plan.sigmas[step]) }
}
