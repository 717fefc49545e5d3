#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How the noise levels of the steps are spread between the largest and the smallest.
public enum SigmaSpacing: String, Sendable, CaseIterable {
  /// Those of timesteps at equal distances.
  case normal
  /// Karras et al. 2022, equation 5.
  case karras
  /// Their logarithms at equal distances.
  case exponential
}

/// The noise levels of a run, in units where latents are clean + sigma * noise.
struct SigmaPlan {
  /// What the network is told at each step.
  let timesteps: [Double]
  /// One more than steps.
  let sigmas: [Double]
}

extension SigmaPlan {
  /// For samplers that take timesteps between whole ones, as diffusers' EulerDiscreteScheduler.
  /// - Parameters:
  ///   - spacing: nil does what the model's config says.
  ///   - roundsKarras: some of diffusers' schedulers tell the network whole timesteps then.
  static func interpolated(
    _ schedule: NoiseSchedule, steps: Int, spacing: SigmaSpacing?, end: Double = 0, roundsKarras: Bool = false
  ) -> SigmaPlan {
    let table = SigmaTable(schedule)
    var times: [Double]
    switch schedule.config.timestepSpacing ?? .linspace {
    case .linspace: times = linspace(0, Double(schedule.trainTimesteps - 1), steps).reversed()
    case let spacing: times = schedule.wholeTimesteps(steps, spacing: spacing).map(Double.init)
    }
    var sigmas = times.map(table.sigma(at:))
    let spacing = spacing ?? schedule.config.sigmaSpacing
    if spacing != .normal {
      sigmas = spread(spacing, steps, from: sigmas[0], to: sigmas[steps - 1])
      times = sigmas.map(table.timestep(of:))
      if spacing == .karras && roundsKarras { times = times.map { $0.rounded(.toNearestOrEven) } }
    }
    return SigmaPlan(timesteps: times, sigmas: sigmas + [end])
  }

  /// For samplers that take whole timesteps, as diffusers' DPMSolverMultistepScheduler.
  /// - Parameter cutsCosine: cut Karras' timesteps off instead of rounding them where the betas follow the cosine.
  static func whole(
    _ schedule: NoiseSchedule, steps: Int, spacing: SigmaSpacing?, end: Double, cutsCosine: Bool = false
  ) -> SigmaPlan {
    let table = SigmaTable(schedule)
    let times: [Double]
    let sigmas: [Double]
    let spacing = spacing ?? schedule.config.sigmaSpacing
    if spacing == .normal {
      // As the others', except that the last of one more point is left out.
      switch schedule.config.timestepSpacing ?? .linspace {
      case .linspace: times = schedule.wholeTimesteps(steps + 1, spacing: .linspace).dropLast().map(Double.init)
      case .leading: times = schedule.leading(steps, of: steps + 1).map(Double.init)
      case .trailing: times = schedule.wholeTimesteps(steps, spacing: .trailing).map(Double.init)
      }
      sigmas = times.map(table.sigma(at:))
    } else {
      sigmas = spread(spacing, steps, from: table.sigmas[table.sigmas.count - 1], to: table.sigmas[0])
      let cuts = spacing == .exponential || cutsCosine && schedule.config.betaSchedule == .squaredCosine
      times = sigmas.map { table.timestep(of: $0).rounded(cuts ? .towardZero : .toNearestOrEven) }
    }
    return SigmaPlan(timesteps: times, sigmas: sigmas + [end])
  }

  private static func spread(_ spacing: SigmaSpacing, _ count: Int, from high: Double, to low: Double) -> [Double] {
    switch spacing {
    case .normal: return linspace(high, low, count)
    case .exponential: return linspace(log(high), log(low), count).map { exp($0) }
    case .karras:
      let rho = 7.0
      return linspace(pow(high, 1 / rho), pow(low, 1 / rho), count).map { pow($0, rho) }
    }
  }
}

/// The noise levels of the training timesteps.
struct SigmaTable {
  /// Of each training timestep, rising.
  let sigmas: [Double]
  private let logarithms: [Double]

  init(_ schedule: NoiseSchedule) {
    var alphas = schedule.alphasCumprod
    // No signal at all would be an infinite sigma: diffusers takes the smallest subnormal of f16 instead.
    if schedule.config.rescaleBetasZeroSNR { alphas[alphas.count - 1] = 0x1p-24 }
    sigmas = alphas.map { ((1 - $0) / $0).squareRoot() }
    logarithms = sigmas.map { log($0) }
  }

  /// At a timestep between two whole ones, the straight line between theirs.
  func sigma(at timestep: Double) -> Double {
    let low = min(max(Int(timestep), 0), sigmas.count - 1)
    let high = min(low + 1, sigmas.count - 1)
    return sigmas[low] + (timestep - Double(low)) * (sigmas[high] - sigmas[low])
  }

  /// The timestep of a sigma, by the straight line between logarithms.
  func timestep(of sigma: Double) -> Double {
    let logarithm = log(max(sigma, 1e-10))
    let low = min(max((logarithms.lastIndex { $0 <= logarithm }) ?? 0, 0), max(sigmas.count - 2, 0))
    guard low + 1 < sigmas.count else { return 0 }
    let weight = (logarithms[low] - logarithm) / (logarithms[low] - logarithms[low + 1])
    return Double(low) + min(max(weight, 0), 1)
  }

  /// Where a run ends whose config may say so.
  func end(_ config: SchedulerConfig) -> Double {
    switch config.finalSigmas {
    case .zero: 0
    case .sigmaMin: sigmas[0]
    }
  }
}
