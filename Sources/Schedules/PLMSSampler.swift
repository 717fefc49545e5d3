import Errors

/// Pseudo linear multistep sampling (Liu et al. 2022), as diffusers' PNDMScheduler without its Runge-Kutta start: the
/// first step is taken twice, with a look at its end.
public struct PLMSSampler: Sampler {
  public let initialNoiseScale: Float = 1
  private let schedule: NoiseSchedule
  private let timesteps: [Int]
  /// Training timesteps between two steps.
  private let stride: Int
  /// Of the latest steps, the latest first.
  private var predictions: [[Float]] = []
  /// Adams and Bashforth's weights of the latest predictions, by how many there are.
  private static let weights: [[Double]] = [
    [1], [3.0 / 2, -1.0 / 2], [23.0 / 12, -16.0 / 12, 5.0 / 12], [55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24],
  ]

  /// - Throws: `invalidArgument` when the schedule has fewer timesteps than `steps`.
  public init(_ schedule: NoiseSchedule, steps: Int) throws(InversionError) {
    try schedule.check(steps: steps)
    self.schedule = schedule
    stride = schedule.trainTimesteps / steps
    timesteps = schedule.wholeTimesteps(steps, spacing: schedule.config.timestepSpacing ?? .leading)
  }

  public var steps: Int { timesteps.count }

  public func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float] {
    schedule.addNoise(noise, to: clean, timestep: timesteps[step])
  }

  public mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise) {
    let timestep = timesteps[step]
    let prediction = predict(latents, Float(timestep))
    predictions = Array(([prediction] + predictions).prefix(Self.weights.count))
    if predictions.count == 1 && step + 1 < steps {
      // The network is asked at the next step's timestep, and from there the step goes one stride up and down again.
      let end = timesteps[step + 1]
      let ahead = schedule.moved(latents, prediction, from: timestep, to: timestep - stride)
      let mean = combination(0.5, prediction, 0.5, predict(ahead, Float(end)))
      latents = schedule.moved(latents, mean, from: min(end + stride, schedule.trainTimesteps - 1), to: end)
      return
    }
    let weights = Self.weights[predictions.count - 1]
    var mean = predictions[0].map { $0 * Float(weights[0]) }
    for (other, weight) in zip(predictions, weights).dropFirst() { blend(&mean, 1, other, weight) }
    latents = schedule.moved(latents, mean, from: timestep, to: timestep - stride)
  }
}
