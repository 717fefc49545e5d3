import Foundation
import Schedules
import Testing

/// One run of a diffusers scheduler, or of a function of k-diffusion, over the made-up network of
/// Tools/golden/schedules.py.
struct GoldenRun: Decodable, CustomTestStringConvertible {
  let name: String
  let config: SchedulerConfig
  let sampler: String
  let steps: Int
  /// Ten of them, at equal distances from the first.
  let alphasCumprod: [Double]
  /// Of each call of the network.
  let timesteps: [Double]
  let initialNoiseScale: Double
  let start: [Float]
  /// Of each call of the network.
  let inputs: [[Float]]
  /// After each call of the network, as far as a step ends with it.
  let latents: [[Float]?]

  private enum CodingKeys: String, CodingKey {
    case name, config, sampler, steps, timesteps, start, inputs, latents
    case alphasCumprod = "alphas_cumprod"
    case initialNoiseScale = "initial_noise_scale"
  }

  var testDescription: String { "\(sampler), \(name), \(steps) steps" }

  /// The sampler of the run's name.
  func makeSampler() throws -> any Sampler { try Self.sampler(sampler, NoiseSchedule(config), steps) }

  static let names = [
    "ddim", "ddpm", "euler", "euler_a", "heun", "lms", "dpm2", "dpm2_a", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2s_a",
    "dpmpp_sde", "dpmpp_3m_sde", "unipc", "plms", "lcm",
  ]

  static func sampler(_ name: String, _ schedule: NoiseSchedule, _ steps: Int) throws -> any Sampler {
    switch name {
    case "ddim": try DDIMSampler(schedule, steps: steps)
    case "ddpm": try DDPMSampler(schedule, steps: steps)
    case "euler": try EulerSampler(schedule, steps: steps)
    case "euler_a": try EulerAncestralSampler(schedule, steps: steps)
    case "heun": try HeunSampler(schedule, steps: steps)
    case "lms": try LMSSampler(schedule, steps: steps)
    case "dpm2": try DPM2Sampler(schedule, steps: steps, ancestral: false)
    case "dpm2_a": try DPM2Sampler(schedule, steps: steps, ancestral: true)
    case "dpmpp_2m": try DPMSolver2MSampler(schedule, steps: steps)
    case "dpmpp_2m_sde": try DPMSolver2MSampler(schedule, steps: steps, stochastic: true)
    case "dpmpp_2s_a": try DPMSolver2SAncestralSampler(schedule, steps: steps)
    case "dpmpp_sde": try DPMSolverSDESampler(schedule, steps: steps)
    case "dpmpp_3m_sde": try DPMSolver3MSDESampler(schedule, steps: steps)
    case "unipc": try UniPCSampler(schedule, steps: steps)
    case "plms": try PLMSSampler(schedule, steps: steps)
    case "lcm": try LCMSampler(schedule, steps: steps)
    default: throw Unknown(name: name)
    }
  }

  private struct Unknown: Error { let name: String }

  /// What the made-up network predicts at a call.
  static func prediction(_ call: Int) -> [Float] { (0..<4).map { Float(cos(Double($0 + call))) } }

  /// What stands for noise at a draw, from 1.
  static func noise(_ draw: Int) -> [Float] { (0..<4).map { Float(1.4 * sin(1.7 * Double($0) + 3 * Double(draw))) } }

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
