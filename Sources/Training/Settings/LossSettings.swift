import Errors
import Schedules

/// What of the squared error counts how much.
public struct LossSettings: Sendable, Equatable, Codable {
  /// gamma of min-SNR weighting (Hang et al. 2023): timesteps with little noise, whose error says little, count less.
  public var minSNR: Double?
  /// Strength of one more draw a channel, the same for all pixels, so that the brightness of pictures is learned too.
  public var offsetNoise = 0.0
  /// Only what the pictures' masks show counts.
  public var isMasked = false
  /// Weight of CoRe's context term: what the word does to the words after it should be what its initializer does.
  public var contextWeight = 0.0

  public init() {}

  func check() throws {
    if let minSNR, !(minSNR.isFinite && minSNR > 0) {
      throw InversionError(.invalidArgument, "a min-SNR gamma of '\(minSNR)': give one above 0, usually 5")
    }
    guard offsetNoise.isFinite, (0...1).contains(offsetNoise) else {
      throw InversionError(.invalidArgument, "offset noise of '\(offsetNoise)': give 0 to 1, usually 0.05")
    }
    guard contextWeight.isFinite, contextWeight >= 0 else {
      throw InversionError(.invalidArgument, "a context weight of '\(contextWeight)': give 0 or more, usually 0.1")
    }
  }
}

extension NoiseSchedule {
  /// alpha^2 / sigma^2 of the latents at a timestep; diffusers' `compute_snr`.
  func signalToNoise(_ timestep: Int) -> Double { alphasCumprod[timestep] / (1 - alphasCumprod[timestep]) }

  /// The weight of a timestep's error under min-SNR weighting: as if the network's error in the clean latents were
  /// weighted with min(SNR, gamma).
  func minSNRWeight(_ timestep: Int, gamma: Double) -> Double {
    let ratio = signalToNoise(timestep)
    return switch predictionType {
    case .epsilon: ratio == 0 ? 1 : min(ratio, gamma) / ratio
    case .velocity: min(ratio, gamma) / (ratio + 1)
    case .sample: min(ratio, gamma)
    }
  }
}
