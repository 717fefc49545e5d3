import Errors
import FoundationEssentials

/// What the network was trained to predict from noisy latents.
public enum PredictionType: String, Sendable, Decodable {
  /// The noise.
  case epsilon
  /// The velocity, sqrt(alpha) noise - sqrt(1 - alpha) latents (Salimans and Ho 2022).
  case velocity = "v_prediction"
  /// The clean latents.
  case sample
}

/// How the timesteps of a few sampling steps are spread over the training timesteps (Lin et al. 2023, table 2).
public enum TimestepSpacing: String, Sendable, Decodable {
  case leading, trailing, linspace
}

/// The part of diffusers' `scheduler_config.json` that says how the model was trained and how it is to be sampled.
///
/// Clipping of the predicted latents (`clip_sample`) is a matter of pixel models; as diffusers' own Stable Diffusion
/// pipelines, the samplers here never clip.
public struct SchedulerConfig: Sendable, Decodable {
  public var trainTimesteps = 1000
  public var betaSchedule = BetaSchedule.linear
  public var betaStart = 0.0001
  public var betaEnd = 0.02
  /// Overrides schedule, start and end.
  public var trainedBetas: [Double]?
  public var predictionType = PredictionType.epsilon
  public var stepsOffset = 0
  /// nil: each sampler has its own default, as in diffusers.
  public var timestepSpacing: TimestepSpacing?
  /// DDIM's last step goes to alpha 1 instead of the first training timestep's.
  public var setAlphaToOne = true
  public var rescaleBetasZeroSNR = false
  public var useKarrasSigmas = false
  public var useExponentialSigmas = false
  /// Where the sigmas of Euler, DPM-Solver and UniPC end.
  public var finalSigmas = FinalSigmas.zero
  /// LCM: how many timesteps the model was distilled for.
  public var originalInferenceSteps = 50
  /// LCM: how fast the share of the latents themselves fades with the timestep.
  public var timestepScaling = 10.0

  public enum BetaSchedule: String, Sendable, Decodable {
    case linear
    case scaledLinear = "scaled_linear"
    case squaredCosine = "squaredcos_cap_v2"
  }

  public enum FinalSigmas: String, Sendable, Decodable {
    case zero
    case sigmaMin = "sigma_min"
  }

  private enum CodingKeys: String, CodingKey {
    case trainTimesteps = "num_train_timesteps"
    case betaSchedule = "beta_schedule"
    case betaStart = "beta_start"
    case betaEnd = "beta_end"
    case trainedBetas = "trained_betas"
    case predictionType = "prediction_type"
    case stepsOffset = "steps_offset"
    case timestepSpacing = "timestep_spacing"
    case setAlphaToOne = "set_alpha_to_one"
    case rescaleBetasZeroSNR = "rescale_betas_zero_snr"
    case useKarrasSigmas = "use_karras_sigmas"
    case useExponentialSigmas = "use_exponential_sigmas"
    case finalSigmas = "final_sigmas_type"
    case originalInferenceSteps = "original_inference_steps"
    case timestepScaling = "timestep_scaling"
  }

  /// diffusers' defaults.
  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    func read<Value: Decodable>(_ key: CodingKeys, into value: inout Value) throws {
      value = try keys.decodeIfPresent(Value.self, forKey: key) ?? value
    }
    try read(.trainTimesteps, into: &trainTimesteps)
    try read(.betaSchedule, into: &betaSchedule)
    try read(.betaStart, into: &betaStart)
    try read(.betaEnd, into: &betaEnd)
    try read(.predictionType, into: &predictionType)
    try read(.stepsOffset, into: &stepsOffset)
    try read(.setAlphaToOne, into: &setAlphaToOne)
    try read(.rescaleBetasZeroSNR, into: &rescaleBetasZeroSNR)
    try read(.useKarrasSigmas, into: &useKarrasSigmas)
    try read(.useExponentialSigmas, into: &useExponentialSigmas)
    try read(.finalSigmas, into: &finalSigmas)
    try read(.originalInferenceSteps, into: &originalInferenceSteps)
    try read(.timestepScaling, into: &timestepScaling)
    trainedBetas = try keys.decodeIfPresent([Double].self, forKey: .trainedBetas)
    timestepSpacing = try keys.decodeIfPresent(TimestepSpacing.self, forKey: .timestepSpacing)
  }

  /// How the model wants its noise levels spread.
  var sigmaSpacing: SigmaSpacing { useKarrasSigmas ? .karras : useExponentialSigmas ? .exponential : .normal }

  /// Reads a `scheduler_config.json`.
  /// - Parameter path: of the file, for messages.
  /// - Throws: `badModel` naming the file, the key and what is wrong with it.
  public init(json: [UInt8], path: String) throws(InversionError) {
    do {
      self = try JSONDecoder().decode(SchedulerConfig.self, from: Data(json))
    } catch {
      throw InversionError(.badModel, "'\(path)': \(Self.reason(error)); use the model's own config")
    }
    if let problem { throw InversionError(.badModel, "'\(path)': \(problem)") }
  }

  private static func reason(_ error: any Error) -> String {
    let context: DecodingError.Context
    switch error {
    case DecodingError.typeMismatch(_, let found): context = found
    case DecodingError.valueNotFound(_, let found): context = found
    case DecodingError.dataCorrupted(let found): context = found
    default: return "not a scheduler config"
    }
    guard let key = context.codingPath.first?.stringValue else { return "not JSON" }
    return "key '\(key)' has a value that this engine does not have"
  }

  /// Why no schedule can be computed from these values, or nil.
  private var problem: String? {
    if !(1...100_000).contains(trainTimesteps) { return "'num_train_timesteps' is \(trainTimesteps)" }
    if let trainedBetas, trainedBetas.count != trainTimesteps {
      return "'trained_betas' has \(trainedBetas.count) entries for \(trainTimesteps) timesteps"
    }
    let betas = trainedBetas ?? [betaStart, betaEnd]
    if !betas.allSatisfy({ $0 > 0 && $0 < 1 }) { return "a beta is not between 0 and 1" }
    if !(0..<trainTimesteps).contains(stepsOffset) { return "'steps_offset' is \(stepsOffset)" }
    if originalInferenceSteps < 1 { return "'original_inference_steps' is \(originalInferenceSteps)" }
    if !timestepScaling.isFinite || timestepScaling <= 0 { return "'timestep_scaling' is \(timestepScaling)" }
    if rescaleBetasZeroSNR, predictionType == .epsilon {
      return "'rescale_betas_zero_snr' leaves no signal that 'epsilon' could be predicted for"
    }
    return nil
  }
}
