import Errors

/// One way from noise to latents: a value that holds the plan of all steps and what a step has to remember.
///
///     var latents = noise.map { $0 * sampler.initialNoiseScale }
///     for step in sampler.timesteps.indices {
///       let input = sampler.scaledInput(latents, step: step)
///       let prediction = unet(input, sampler.timesteps[step])  // guided
///       sampler.step(step, prediction: prediction, latents: &latents)
///     }
public protocol Sampler: Sendable {
  /// What the U-Net is told at each step, from noisy to clean. Not always whole numbers.
  var timesteps: [Float] { get }
  /// The standard deviation of the first latents.
  var initialNoiseScale: Float { get }
  /// The latents as the U-Net wants to see them at a step.
  func scaledInput(_ latents: [Float], step: Int) -> [Float]
  /// Takes a step in place, given the guided prediction for it. Steps are taken in order, each once.
  mutating func step(_ step: Int, prediction: [Float], latents: inout [Float])
  /// The latents before a step that `clean` ones and noise of standard deviation 1 make, to start from there.
  func noised(_ clean: [Float], with noise: [Float], step: Int) -> [Float]
}

extension Sampler {
  public func scaledInput(_ latents: [Float], step: Int) -> [Float] { latents }
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
}
