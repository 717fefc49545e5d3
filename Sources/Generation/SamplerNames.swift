import Errors
import Schedules

/// The samplers that can be asked for, by their names in the protocol.
public enum SamplerName: String, Sendable, CaseIterable {
  case ddim, ddpm, euler
  case eulerAncestral = "euler_a"
  case heun, lms, dpm2
  case dpm2Ancestral = "dpm2_a"
  case dpmpp2SAncestral = "dpmpp_2s_a"
  case dpmpp2M = "dpmpp_2m"
  case dpmppSDE = "dpmpp_sde"
  case dpmpp2MSDE = "dpmpp_2m_sde"
  case dpmpp3MSDE = "dpmpp_3m_sde"
  case unipc, plms, lcm

  /// What AUTOMATIC1111 calls it.
  public var displayName: String {
    switch self {
    case .ddim: "DDIM"
    case .ddpm: "DDPM"
    case .euler: "Euler"
    case .eulerAncestral: "Euler a"
    case .heun: "Heun"
    case .lms: "LMS"
    case .dpm2: "DPM2"
    case .dpm2Ancestral: "DPM2 a"
    case .dpmpp2SAncestral: "DPM++ 2S a"
    case .dpmpp2M: "DPM++ 2M"
    case .dpmppSDE: "DPM++ SDE"
    case .dpmpp2MSDE: "DPM++ 2M SDE"
    case .dpmpp3MSDE: "DPM++ 3M SDE"
    case .unipc: "UniPC"
    case .plms: "PLMS"
    case .lcm: "LCM"
    }
  }

  /// Other names, beside `displayName`, either of them after 'k_', and the three with a scheduler behind: diffusers'
  /// classes, and how people write it.
  public var aliases: [String] {
    switch self {
    case .ddim: ["DDIMScheduler"]
    case .ddpm: ["DDPMScheduler"]
    case .euler: ["EulerDiscreteScheduler"]
    case .eulerAncestral: ["euler_ancestral", "EulerAncestralDiscreteScheduler"]
    case .heun: ["HeunDiscreteScheduler"]
    case .lms: ["LMSDiscreteScheduler"]
    case .dpm2: ["dpm_2", "KDPM2DiscreteScheduler"]
    case .dpm2Ancestral: ["dpm_2_a", "dpm_2_ancestral", "KDPM2AncestralDiscreteScheduler"]
    case .dpmpp2SAncestral: ["dpmpp_2s_ancestral"]
    case .dpmpp2M: ["DPMSolverMultistepScheduler"]
    case .dpmppSDE: ["DPMSolverSDEScheduler"]
    case .dpmpp2MSDE, .dpmpp3MSDE: []
    case .unipc: ["uni_pc", "UniPCMultistepScheduler"]
    case .plms: ["pndm", "PNDMScheduler"]
    case .lcm: ["LCMScheduler"]
    }
  }

  /// Whether a scheduler can be chosen; the others go by timesteps only.
  public var takesScheduler: Bool {
    switch self {
    case .ddim, .ddpm, .plms, .lcm: false
    default: true
    }
  }

  /// The sampler's plan for a schedule.
  /// - Throws: `invalidArgument` for a number of steps that the schedule does not have.
  func make(_ schedule: NoiseSchedule, steps: Int, spacing: SigmaSpacing?) throws(InversionError) -> any Sampler {
    switch self {
    case .ddim: try DDIMSampler(schedule, steps: steps)
    case .ddpm: try DDPMSampler(schedule, steps: steps)
    case .euler: try EulerSampler(schedule, steps: steps, spacing: spacing)
    case .eulerAncestral: try EulerAncestralSampler(schedule, steps: steps, spacing: spacing)
    case .heun: try HeunSampler(schedule, steps: steps, spacing: spacing)
    case .lms: try LMSSampler(schedule, steps: steps, spacing: spacing)
    case .dpm2: try DPM2Sampler(schedule, steps: steps, spacing: spacing, ancestral: false)
    case .dpm2Ancestral: try DPM2Sampler(schedule, steps: steps, spacing: spacing, ancestral: true)
    case .dpmpp2SAncestral: try DPMSolver2SAncestralSampler(schedule, steps: steps, spacing: spacing)
    case .dpmpp2M: try DPMSolver2MSampler(schedule, steps: steps, spacing: spacing)
    case .dpmppSDE: try DPMSolverSDESampler(schedule, steps: steps, spacing: spacing)
    case .dpmpp2MSDE: try DPMSolver2MSampler(schedule, steps: steps, spacing: spacing, stochastic: true)
    case .dpmpp3MSDE: try DPMSolver3MSDESampler(schedule, steps: steps, spacing: spacing)
    case .unipc: try UniPCSampler(schedule, steps: steps, spacing: spacing)
    case .plms: try PLMSSampler(schedule, steps: steps)
    case .lcm: try LCMSampler(schedule, steps: steps)
    }
  }
}

/// A sampler and how its noise levels are spread, as users name them: `dpmpp_2m`, 'DPM++ 2M Karras', `k_euler_a`, and
/// the scheduler by itself.
public struct SamplingMethod: Sendable, Equatable {
  public var sampler = SamplerName.ddim
  /// nil does what the model's config says.
  public var scheduler: SigmaSpacing?

  public init() {}

  /// - Parameters:
  ///   - sampler: upper and lower case, spaces and underscores do not matter; nil is the default.
  ///   - scheduler: `automatic`, nil and an empty one are the model's own.
  /// - Throws: `invalidArgument` naming what can be chosen.
  public init(sampler: String?, scheduler: String?) throws(InversionError) {
    let asked = try scheduler.flatMap { name throws(InversionError) in try Self.spacing(name) }
    var named: SigmaSpacing?
    if let sampler {
      guard let found = Self.names[Self.key(sampler)] else {
        let choices = SamplerName.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        throw InversionError(.invalidArgument, "'sampler': unknown sampler '\(sampler)'; choose one of \(choices)")
      }
      (self.sampler, named) = found
    }
    if let named, let asked, asked != named {
      throw InversionError(
        .invalidArgument, "'scheduler': '\(asked.rawValue)' contradicts '\(named.rawValue)' in the sampler's name")
    }
    self.scheduler = asked ?? named
    if let asked, asked != .normal, !self.sampler.takesScheduler {
      throw InversionError(
        .invalidArgument, "'scheduler': '\(self.sampler.rawValue)' has none but its own; leave '\(asked.rawValue)' out")
    }
  }

  /// The schedulers' names, without that of the model's own.
  public static let schedulers = SigmaSpacing.allCases.map(\.rawValue)

  private static func spacing(_ name: String) throws(InversionError) -> SigmaSpacing? {
    let key = Self.key(name)
    if key.isEmpty || key == "automatic" { return nil }
    guard let spacing = SigmaSpacing(rawValue: key) else {
      let choices = SigmaSpacing.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
      throw InversionError(
        .invalidArgument, "'scheduler': unknown scheduler '\(name)'; choose one of 'automatic', \(choices)")
    }
    return spacing
  }

  /// Letters and digits in lower case, 'pp' for '++'.
  private static func key(_ name: String) -> String {
    String(name.lowercased().flatMap { $0 == "+" ? "p" : $0.isLetter || $0.isNumber ? "\($0)" : "" })
  }

  private static let endings: [(String, SigmaSpacing?)] = [
    ("", nil), ("karras", .karras), ("ka", .karras), ("exponential", .exponential), ("exp", .exponential),
  ]

  /// Every spelling.
  private static let names: [String: (SamplerName, SigmaSpacing?)] = {
    var names: [String: (SamplerName, SigmaSpacing?)] = [:]
    for sampler in SamplerName.allCases {
      for name in [sampler.rawValue, sampler.displayName] + sampler.aliases {
        for (ending, spacing) in endings where ending.isEmpty || sampler.takesScheduler {
          names[key(name) + ending] = (sampler, spacing)
          names["k" + key(name) + ending] = (sampler, spacing)
        }
      }
    }
    return names
  }()
}
