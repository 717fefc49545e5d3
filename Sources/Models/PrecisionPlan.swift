import Tensors

/// How a layer's weights are kept, and computed with.
public enum LayerPrecision: String, Sendable, Codable, CaseIterable {
  /// int8 weights, one scale an output; int8 activations, one scale a row.
  case int8
  /// Stored in half the memory; widened where no kernel reads f16.
  case f16
  /// Likewise, with the range of f32 and three bits less than f16 has.
  case bf16
  case f32
}

extension LayerPrecision {
  /// The element type of weights that are stored in half the memory.
  package var half: DType? {
    switch self {
    case .f16: .f16
    case .bf16: .bf16
    case .int8, .f32: nil
    }
  }
}

/// Which layers of one network have which precision: a decision per layer, by its path.
public struct PrecisionPlan: Sendable, Equatable {
  package let fallback: LayerPrecision
  /// Layers that differ, by their path or whole components of it: `time_embedding`, `time_emb_proj`, `attentions.0`.
  package let exceptions: [String: LayerPrecision]

  public init(_ fallback: LayerPrecision, except exceptions: [String: LayerPrecision] = [:]) {
    self.fallback = fallback
    self.exceptions = exceptions
  }

  /// Every layer in the tape's element type: what training and gradients need.
  public static let full = PrecisionPlan(.f32)

  /// int8 for a U-Net, but for what the published sensitivities (MixDQ, TFMQ-DM) say suffers most: the first and the
  /// last convolution and everything that sees the timestep. The latter's products are one row a picture: nothing to
  /// win.
  public static let int8 = PrecisionPlan(
    .int8, except: ["conv_in": .f16, "conv_out": .f16, "time_embedding": .f16, "time_emb_proj": .f16])

  /// The longest exception that matches decides.
  public func precision(of path: String) -> LayerPrecision {
    if let own = exceptions[path] { return own }
    let matching = exceptions.keys.filter { Self.matches($0, path) }
    return matching.max { ($0.count, $0) < ($1.count, $1) }.flatMap { exceptions[$0] } ?? fallback
  }

  package static func matches(_ exception: String, _ path: String) -> Bool {
    ".\(path).".contains(".\(exception).")
  }

  func isInt8(_ path: String) -> Bool { precision(of: path) == .int8 }
}

extension ModelPlan {
  /// The plan of a whole model in one precision, with what int8 keeps in f16.
  public init(_ precision: LayerPrecision) {
    switch precision {
    case .f32: self = .full
    case .f16, .bf16:
      let plan = PrecisionPlan(precision)
      self.init(textEncoder: plan, unet: plan, vae: plan)
    case .int8: self = .int8
    }
  }
}

/// The networks of a model, by diffusers' name of their folder.
public enum Network: String, Sendable, CaseIterable, Codable {
  case textEncoder = "text_encoder"
  case unet
  case vae
}

/// The precision of every layer of a model.
public struct ModelPlan: Sendable, Equatable {
  private var plans: [Network: PrecisionPlan]

  public init(textEncoder: PrecisionPlan, unet: PrecisionPlan, vae: PrecisionPlan) {
    plans = [.textEncoder: textEncoder, .unet: unet, .vae: vae]
  }

  public subscript(network: Network) -> PrecisionPlan {
    get { plans[network] ?? .full }
    set { plans[network] = newValue }
  }

  /// Whether a layer stays as it is however well it measures: there is nothing to win.
  package static func keeps(_ network: Network, _ path: String) -> Bool {
    let kept = int8[network]
    return kept.fallback == .int8 && !kept.isInt8(path)
  }

  /// What training needs.
  public static let full = ModelPlan(textEncoder: .full, unet: .full, vae: .full)

  /// What serving uses where no analysis has said more. Measured with `inversion models analyze` on emoji-64, the
  /// output of the text encoder keeps 48 dB with all of it in int8, that of the VAE as much; its attention and what
  /// touches pixels and latents are few, and stay.
  public static let int8 = ModelPlan(
    textEncoder: PrecisionPlan(.int8), unet: .int8,
    vae: PrecisionPlan(
      .int8,
      except: [
        "conv_in": .f16, "conv_out": .f16, "attentions.0": .f16, "quant_conv": .f16, "post_quant_conv": .f16,
      ]))
}
