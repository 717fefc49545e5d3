import Errors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How much of the latents is left at each training timestep (Ho et al. 2020), and what training does with it.
///
/// Latents at timestep t are sqrt(alphas_cumprod[t]) latents + sqrt(1 - alphas_cumprod[t]) noise. Computed in f64.
public struct NoiseSchedule: Sendable {
  public let config: SchedulerConfig
  /// One a training timestep, falling from almost 1.
  public let alphasCumprod: [Double]

  /// - Precondition: the config's values are in range, as those of one read from a file.
  public init(_ config: SchedulerConfig) {
    self.config = config
    var product = 1.0
    let alphas = Self.betas(config).map { beta in
      product *= 1 - beta
      return product
    }
    alphasCumprod = config.rescaleBetasZeroSNR ? Self.rescaledToZeroTerminalSNR(alphas) : alphas
  }

  public var predictionType: PredictionType { config.predictionType }
  public var trainTimesteps: Int { alphasCumprod.count }

  // MARK: Training

  /// The latents as they are at `timestep`.
  /// - Precondition: `timestep` is a training timestep, and noise and latents have equal counts.
  public func addNoise(_ noise: [Float], to latents: [Float], timestep: Int) -> [Float] {
    combine(latents, alphasCumprod[timestep].squareRoot(), noise, (1 - alphasCumprod[timestep]).squareRoot())
  }

  /// What the network should predict: the noise, the velocity or the latents.
  public func target(latents: [Float], noise: [Float], timestep: Int) -> [Float] {
    switch predictionType {
    case .epsilon: noise
    case .sample: latents
    case .velocity:
      combine(noise, alphasCumprod[timestep].squareRoot(), latents, -(1 - alphasCumprod[timestep]).squareRoot())
    }
  }

  private func combine(_ a: [Float], _ factorA: Double, _ b: [Float], _ factorB: Double) -> [Float] {
    precondition(a.count == b.count)
    return zip(a, b).map { Float(factorA) * $0 + Float(factorB) * $1 }
  }

  // MARK: Betas

  private static func betas(_ config: SchedulerConfig) -> [Double] {
    if let trained = config.trainedBetas { return trained }
    let (count, start, end) = (config.trainTimesteps, config.betaStart, config.betaEnd)
    switch config.betaSchedule {
    case .linear: return linspace(start, end, count)
    case .scaledLinear: return linspace(start.squareRoot(), end.squareRoot(), count).map { $0 * $0 }
    case .squaredCosine:
      // Nichol and Dhariwal 2021, equation 17.
      func alphaBar(_ time: Double) -> Double {
        let cosine = cos((time + 0.008) / 1.008 * .pi / 2)
        return cosine * cosine
      }
      return (0..<count).map { step in
        min(1 - alphaBar(Double(step + 1) / Double(count)) / alphaBar(Double(step) / Double(count)), 0.999)
      }
    }
  }

  /// Lin et al. 2023, algorithm 1: the last timestep has no signal left, the first is unchanged.
  private static func rescaledToZeroTerminalSNR(_ alphasCumprod: [Double]) -> [Double] {
    let roots = alphasCumprod.map { $0.squareRoot() }
    let (first, last) = (roots[0], roots[roots.count - 1])
    return roots.map { root in
      let rescaled = (root - last) * first / (first - last)
      return rescaled * rescaled
    }
  }
}

/// `count` equidistant numbers from start to end; one number is the start.
func linspace(_ start: Double, _ end: Double, _ count: Int) -> [Double] {
  let step = count > 1 ? (end - start) / Double(count - 1) : 0
  return (0..<count).map { start + Double($0) * step }
}
