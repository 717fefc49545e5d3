#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension NoiseSchedule {
  /// The training timesteps of `count` steps, from noisy to clean, as diffusers' DDIMScheduler spreads them.
  func wholeTimesteps(_ count: Int, spacing: TimestepSpacing) -> [Int] {
    switch spacing {
    case .linspace:
      return linspace(0, Double(trainTimesteps - 1), count).reversed().map { Int($0.rounded(.toNearestOrEven)) }
    case .leading:
      return leading(count, of: count)
    case .trailing:
      let stride = Double(trainTimesteps) / Double(count)
      return (0..<count).map { step in
        Int((Double(trainTimesteps) - Double(step) * stride).rounded(.toNearestOrEven)) - 1
      }
    }
  }

  /// The last `count` of `points` timesteps that start at the offset, cut to the schedule.
  func leading(_ count: Int, of points: Int) -> [Int] {
    let stride = trainTimesteps / points
    return (0..<count).map { step in
      min((points - 1 - step) * stride + config.stepsOffset, trainTimesteps - 1)
    }
  }
}

/// The noise levels of samplers that see latents as clean + sigma * noise.
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
    let low = min(max((logarithms.lastIndex { $0 <= logarithm }) ?? 0, 0), sigmas.count - 2)
    let weight = (logarithms[low] - logarithm) / (logarithms[low] - logarithms[low + 1])
    return Double(low) + min(max(weight, 0), 1)
  }

  /// Karras et al. 2022, equation 5: `count` sigmas from `high` to `low`; without them, of the whole training.
  func karras(_ count: Int, from high: Double? = nil, to low: Double? = nil) -> [Double] {
    let rho = 7.0
    let (high, low) = (high ?? sigmas[sigmas.count - 1], low ?? sigmas[0])
    return linspace(pow(high, 1 / rho), pow(low, 1 / rho), count).map { pow($0, rho) }
  }

  /// What follows the sigma of the last step.
  func final(_ config: SchedulerConfig) -> Double {
    switch config.finalSigmas {
    case .zero: 0
    case .sigmaMin: sigmas[0]
    }
  }
}
