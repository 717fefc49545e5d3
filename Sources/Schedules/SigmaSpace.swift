#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the samplers of Karras et al. 2022 and of k-diffusion share: latents are clean + sigma * noise, and the network
/// says where the clean ones are.
struct SigmaSpace: Sendable {
  let schedule: NoiseSchedule
  let table: SigmaTable
  let timesteps: [Double]
  /// One more than steps.
  let sigmas: [Double]

  init(_ schedule: NoiseSchedule, _ plan: SigmaPlan) {
    self.schedule = schedule
    table = SigmaTable(schedule)
    timesteps = plan.timesteps
    sigmas = plan.sigmas
  }

  /// With leading timesteps, the first latents are taken to hold some signal already.
  var initialNoiseScale: Float {
    let largest = sigmas.max() ?? 0
    return Float(schedule.config.timestepSpacing == .leading ? (largest * largest + 1).squareRoot() : largest)
  }

  func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    combination(1, clean, sigmas[step], noise)
  }

  /// The clean latents that the network sees in the latents.
  func clean(_ latents: [Float], sigma: Double, timestep: Double, _ predict: Predict) -> [Float] {
    let alpha = Self.alpha(sigma)
    let factors = schedule.cleanFactors(alpha: alpha, sigma: sigma * alpha)
    let prediction = predict(scaled(latents, alpha), Float(timestep))
    return combination(alpha * factors.latents, latents, factors.prediction, prediction)
  }

  /// The derivative of the latents by sigma: (latents - clean) / sigma.
  func slope(_ latents: [Float], sigma: Double, timestep: Double, _ predict: Predict) -> [Float] {
    let alpha = Self.alpha(sigma)
    let factors = schedule.cleanFactors(alpha: alpha, sigma: sigma * alpha)
    let prediction = predict(scaled(latents, alpha), Float(timestep))
    return combination((1 - alpha * factors.latents) / sigma, latents, -factors.prediction / sigma, prediction)
  }

  /// The noise level half way between two on the logarithmic scale, and its timestep.
  func middle(_ from: Double, _ to: Double) -> (sigma: Double, timestep: Double) {
    let sigma = (from * to).squareRoot()
    return (sigma, table.timestep(of: sigma))
  }

  /// How far an ancestral step goes down, and how much fresh noise brings it up again to `to`.
  static func ancestral(from: Double, to: Double) -> (down: Double, up: Double) {
    let up = min(to, to / from * (from * from - to * to).squareRoot())
    return ((to * to - up * up).squareRoot(), up)
  }

  /// The network's latents are these times alpha: of variance 1.
  private static func alpha(_ sigma: Double) -> Double { 1 / (sigma * sigma + 1).squareRoot() }

  private func scaled(_ latents: [Float], _ alpha: Double) -> [Float] {
    let alpha = Float(alpha)
    return latents.map { $0 * alpha }
  }
}
