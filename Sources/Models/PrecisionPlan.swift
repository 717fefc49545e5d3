/// Which layers of the U-Net compute in int8: a decision per layer, by its path.
///
/// The default keeps what the published sensitivities (MixDQ, TFMQ-DM) say suffers most: the first and the last
/// convolution and everything that sees the timestep.
public struct PrecisionPlan: Sendable, Equatable {
  /// Path prefixes of the layers that stay in full precision; nil keeps them all.
  private let kept: [String]?

  /// Every layer in the tape's element type: what training and gradients need.
  public static let full = PrecisionPlan(kept: nil)

  /// int8 activations and weights but for the sensitive layers.
  public static let int8 = PrecisionPlan(kept: ["conv_in", "conv_out", "time_embedding"])

  func isInt8(_ path: String) -> Bool {
    guard let kept else { return false }
    // One vector a picture and resnet: nothing to win.
    return !path.hasSuffix("time_emb_proj") && !kept.contains { path == $0 || path.hasPrefix("\($0).") }
  }
}
