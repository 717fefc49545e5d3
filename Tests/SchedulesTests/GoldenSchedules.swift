import Foundation
import Schedules
import Testing

/// One run of a diffusers scheduler over the made-up network of Tools/golden/schedules.py.
struct GoldenRun: Decodable, CustomTestStringConvertible {
  let name: String
  let config: SchedulerConfig
  let sampler: String
  let steps: Int
  /// Ten of them, at equal distances from the first.
  let alphasCumprod: [Double]
  let timesteps: [Double]
  let initialNoiseScale: Double
  let start: [Float]
  let inputs: [[Float]]
  let latents: [[Float]]

  private enum CodingKeys: String, CodingKey {
    case name, config, sampler, steps, timesteps, start, inputs, latents
    case alphasCumprod = "alphas_cumprod"
    case initialNoiseScale = "initial_noise_scale"
  }

  var testDescription: String { "\(sampler), \(name), \(steps) steps" }

  /// The sampler of the run's name.
  func makeSampler() throws -> any Sampler {
    let schedule = NoiseSchedule(config)
    switch sampler {
    case "ddim": return try DDIMSampler(schedule, steps: steps)
    case "euler": return try EulerSampler(schedule, steps: steps)
    default: return try DPMSolver2MSampler(schedule, steps: steps)
    }
  }

  /// What the made-up network predicts at a step.
  static func prediction(_ step: Int) -> [Float] { (0..<4).map { Float(cos(Double($0 + step))) } }

  static let all: [GoldenRun] = {
    guard let url = Bundle.module.url(forResource: "Golden/schedules", withExtension: "json") else { return [] }
    return (try? JSONDecoder().decode([GoldenRun].self, from: Data(contentsOf: url))) ?? []
  }()
}

/// The largest difference, relative to the largest expected value.
func relativeError(_ values: [Float], _ expected: [Float]) -> Float {
  guard values.count == expected.count else { return .infinity }
  let scale = expected.map(abs).max() ?? 1
  return (zip(values, expected).map { abs($0 - $1) }.max() ?? 0) / max(scale, 1e-6)
}
