import Formats
import Tensors

extension DiffusersFolder: ModelSource {
  package var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  package func config(of network: Network) throws -> ConfigText {
    ConfigText(try config(of: network.rawValue), path: "\(path)/\(network.rawValue)/config.json")
  }

  package func schedulerConfig() throws -> ConfigText {
    let file = "scheduler_config.json"
    return ConfigText(try config(of: "scheduler", file: file), path: "\(path)/scheduler/\(file)")
  }

  /// The folder's own tokenizer, or CLIP's for checkpoints that carry none.
  package func tokenizer() -> TokenizerSource {
    let folder = "\(path)/tokenizer"
    let hasOwn = ["vocab.json", "tokenizer.json"].contains { exists("\(folder)/\($0)") }
    return hasOwn ? .folder(folder) : .clip(pad: nil)
  }

  package func layers(of network: Network, dtype: DType, plan: PrecisionPlan) throws -> any LayerSource {
    let names: WeightNames =
      switch network {
      case .textEncoder: .textEncoder
      case .unet: WeightNames()
      case .vae: .autoencoder
      }
    return CheckpointLayers(try weights(of: network.rawValue), names: names, dtype: dtype, plan: plan)
  }
}

// MARK: One network alone

extension CLIPTextModel {
  /// Reads `text_encoder/` of a diffusers folder.
  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  public init(_ folder: DiffusersFolder, dtype: DType = .f32) throws {
    try self.init(folder as any ModelSource, dtype: dtype, plan: .full)
  }
}

extension UNet2DConditionModel {
  /// Reads `unet/` of a diffusers folder.
  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  public init(_ folder: DiffusersFolder, dtype: DType = .f32, plan: PrecisionPlan = .full) throws {
    try self.init(folder as any ModelSource, dtype: dtype, plan: plan)
  }
}

extension AutoencoderKL {
  /// Reads `vae/` of a diffusers folder.
  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  public init(_ folder: DiffusersFolder, parts: Parts, dtype: DType = .f32) throws {
    try self.init(folder as any ModelSource, parts: parts, dtype: dtype, plan: .full)
  }
}
