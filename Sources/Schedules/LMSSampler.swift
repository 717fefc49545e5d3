import Errors

/// The linear multistep method of Adams and Bashforth, of order 4, over unequal steps: as diffusers'
/// LMSDiscreteScheduler.
public struct LMSSampler: Sampler {
  private static let order = 4
  private let space: SigmaSpace
  /// Of the latest steps, the latest first.
  private var slopes: [[Float]] = []

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
    let slope = space.slope(latents, sigma: space.sigmas[step], timestep: space.timesteps[step], predict)
    slopes = Array(([slope] + slopes).prefix(Self.order))
    for index in slopes.indices { blend(&latents, 1, slopes[index], weight(of: index, step)) }
  }

  /// The integral over the step of the polynomial that is 1 at this slope's sigma and 0 at the others'.
  private func weight(of index: Int, _ step: Int) -> Double {
    let (from, to) = (space.sigmas[step], space.sigmas[step + 1])
    let own = space.sigmas[step - index]
    func polynomial(_ sigma: Double) -> Double {
      slopes.indices.reduce(1.0) { product, other in
        other == index
          ? product : product * (sigma - space.sigmas[step - other]) / (own - space.sigmas[step - other])
      }
    }
    // Gauss and Legendre's two points are exact up to degree 3.
    let (middle, half) = ((from + to) / 2, (to - from) / 2)
    let distance = half / (3.0).squareRoot()
    return half * (polynomial(middle - distance) + polynomial(middle + distance))
  }
}
