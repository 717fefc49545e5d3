import Errors

/// One way from noise to latents: a value that holds the plan of all steps and what a step has to remember.
///
///     var latents = noise.map { $0 * sampler.initialNoiseScale }
///     for step in 0..<sampler.steps {
///       sampler.step(step, latents: &latents, predict: { unet($0, timestep: $1) }, noise: { random() })
///     }
///
/// A step calls the network once, or twice where its method looks ahead; it draws noise only when the method is
/// stochastic and something of the noise would be left after it.
public protocol Sampler: Sendable {
  var steps: Int { get }
  /// The standard deviation of the first latents.
  var initialNoiseScale: Float { get }
  /// Takes a step in place. Steps are taken in order, each once.
  mutating func step(_ step: Int, latents: inout [Float], predict: Predict, noise: DrawNoise)
  /// The latents before a step that `clean` ones and noise of standard deviation 1 make, to start from there.
  func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float]
}

/// The network's guided prediction for latents as it wants to see them. Timesteps are not always whole numbers.
public typealias Predict = (_ input: [Float], _ timestep: Float) -> [Float]

/// As many independent values of the standard normal distribution as there are latents.
public typealias DrawNoise = () -> [Float]

/// a * x + b * y
func combination(_ a: Double, _ x: [Float], _ b: Double, _ y: [Float]) -> [Float] {
  var result = x
  blend(&result, a, y, b)
  return result
}

/// latents = a * latents + b * other, in place.
func blend(_ latents: inout [Float], _ a: Double, _ other: [Float], _ b: Double) {
  precondition(latents.count == other.count)
  let (a, b) = (Float(a), Float(b))
  for index in latents.indices { latents[index] = a * latents[index] + b * other[index] }
}

extension NoiseSchedule {
  /// - Throws: `invalidArgument` unless the schedule has that many steps.
  func check(steps: Int) throws(InversionError) {
    guard (1...trainTimesteps).contains(steps) else {
      throw InversionError(
        .invalidArgument, "'\(steps)' steps cannot be taken with this model; choose 1 to \(trainTimesteps)")
    }
  }

  /// The clean latents that a prediction means, as factors of the latents and of the prediction, where the latents are
  /// `alpha` * clean + `sigma` * noise.
  func cleanFactors(alpha: Double, sigma: Double) -> (latents: Double, prediction: Double) {
    switch predictionType {
    case .epsilon: (1 / alpha, -sigma / alpha)
    case .velocity: (alpha, -sigma)
    case .sample: (0, 1)
    }
  }

  /// Likewise the noise.
  func noiseFactors(alpha: Double, sigma: Double) -> (latents: Double, prediction: Double) {
    switch predictionType {
    case .epsilon: (0, 1)
    case .velocity: (sigma, alpha)
    case .sample: (1 / sigma, -alpha / sigma)
    }
  }
}
