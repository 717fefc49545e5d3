import Errors

/// Multistep sampling of latent consistency models (Luo et al. 2023), as diffusers' LCMScheduler: to the clean latents
/// at once, and back to a lower noise level, a few times.
public struct LCMSampler: Sampler {
  public let initialNoiseScale: Float = 1
  /// Standard deviation of the data, by which the share of the latents themselves is set.
  private static let dataDeviation = 0.5
  private let schedule: NoiseSchedule
  private let timesteps: [Int]

  /// - Throws: `invalidArgument` when the model was distilled for fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int) throws(InversionError) {
    let points = min(schedule.config.originalInferenceSteps, schedule.trainTimesteps)
    guard (1...points).contains(steps) else {
      throw InversionError(
        .invalidArgument, "'\(steps)' steps cannot be taken by LCM with this model; choose 1 to \(points)")
    }
    self.schedule = schedule
    let stride = schedule.trainTimesteps / points
    timesteps = (0..<steps).map { step in (points - step * points / steps) * stride - 1 }
  }

  public var steps: Int { timesteps.count }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    schedule.addNoise(noise, to: clean, timestep: timesteps[step])
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let alpha = schedule.alphasCumprod[timesteps[step]]
    let prediction = predict(latents, Float(timesteps[step]))
    let factors = schedule.cleanFactors(alpha: alpha.squareRoot(), sigma: (1 - alpha).squareRoot())
    // The consistency function: at timestep 0 the latents are the answer.
    let time = Double(timesteps[step]) * schedule.config.timestepScaling
    let deviation = Self.dataDeviation
    let skip = deviation * deviation / (time * time + deviation * deviation)
    let out = time / (time * time + deviation * deviation).squareRoot()
    blend(&latents, skip + out * factors.latents, prediction, out * factors.prediction)
    guard step + 1 < steps else { return }
    let nextAlpha = schedule.alphasCumprod[timesteps[step + 1]]
    blend(&latents, nextAlpha.squareRoot(), noise(), (1 - nextAlpha).squareRoot())
  }
}
