import Formats
import Tensors

extension CLIPTextModel {
  /// Reads `text_encoder/` of a diffusers folder.
  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  public init(_ folder: DiffusersFolder, dtype: DType = .f32) throws {
    let config = try folder.decode(TextEncoderConfig.self, of: "text_encoder")
    try self.init(config: config, weights: folder.weights(of: "text_encoder"), dtype: dtype)
  }
}

extension UNet2DConditionModel {
  /// Reads `unet/` of a diffusers folder.
  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  public init(_ folder: DiffusersFolder, dtype: DType = .f32, plan: PrecisionPlan = .full) throws {
    let config = try folder.decode(UNetConfig.self, of: "unet")
    try self.init(config: config, weights: folder.weights(of: "unet"), dtype: dtype, plan: plan)
  }
}

extension AutoencoderKL {
  /// Reads `vae/` of a diffusers folder.
  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  public init(_ folder: DiffusersFolder, parts: Parts, dtype: DType = .f32) throws {
    let config = try folder.decode(AutoencoderConfig.self, of: "vae")
    try self.init(config: config, weights: folder.weights(of: "vae"), parts: parts, dtype: dtype)
  }
}

extension DiffusersFolder {
  fileprivate func decode<Config: Decodable>(_ type: Config.Type, of component: String) throws -> Config {
    try decodeConfig(type, from: config(of: component), path: "\(path)/\(component)/config.json")
  }
}
