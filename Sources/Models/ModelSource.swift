import Errors
import Formats
import Schedules
import Tensors
import Tokenizer

/// A model as it is stored: a diffusers folder, a single-file checkpoint or a package.
package protocol ModelSource: Sendable {
  /// The name of its folder, or of its file without the extension.
  var name: String { get }
  /// diffusers' config of a network, as the source has it or as it follows from the source.
  func config(of network: Network) throws -> ConfigText
  func schedulerConfig() throws -> ConfigText
  func tokenizer() throws -> TokenizerSource
  /// - Parameter plan: the precision of the layers, for a source that has none of its own.
  func layers(of network: Network, dtype: DType, plan: PrecisionPlan) throws -> any LayerSource
}

/// A config's JSON and, for messages, where it stands.
package struct ConfigText: Sendable {
  package let json: [UInt8]
  package let path: String

  package init(_ json: [UInt8], path: String) {
    self.json = json
    self.path = path
  }

  /// - Throws: `badModel` naming the file, the key and what is wrong with it.
  func decode<Config: Decodable>(_ type: Config.Type) throws -> Config {
    try decodeConfig(type, from: json, path: path)
  }
}

/// What a model's tokenizer is read from.
package enum TokenizerSource: Sendable {
  /// Files as transformers saves them.
  case folder(String)
  /// CLIP's own; Stable Diffusion 2.x pads with `!`.
  case clip(pad: String?)

  func load() throws -> CLIPTokenizer {
    switch self {
    case .folder(let path): try CLIPTokenizer(folder: path)
    case .clip(let pad): pad.map { CLIPTokenizer.clip.padded(with: $0) } ?? .clip
    }
  }
}

/// Opens what `path` names: a package or a diffusers folder, told by what is in it, or a single file.
/// - Throws: `fileUnavailable`, `badFile`, `badModel`.
package func openModel(path: String) throws -> any ModelSource {
  if let reason = Absence(path) { throw ModelsFolder.absent(path, reason) }
  guard isFolder(path) else { return try SingleFileCheckpoint(path: path) }
  return exists("\(path)/\(PackageDescription.fileName)")
    ? try ModelPackage(path: path) : try DiffusersFolder(path: path)
}

// MARK: Networks

extension CLIPTextModel {
  init(_ source: any ModelSource, dtype: DType, plan: PrecisionPlan) throws {
    try self.init(
      config: source.config(of: .textEncoder).decode(TextEncoderConfig.self),
      layers: source.layers(of: .textEncoder, dtype: dtype, plan: plan))
  }
}

extension UNet2DConditionModel {
  init(_ source: any ModelSource, dtype: DType, plan: PrecisionPlan) throws {
    try self.init(
      config: source.config(of: .unet).decode(UNetConfig.self),
      layers: source.layers(of: .unet, dtype: dtype, plan: plan))
  }
}

extension AutoencoderKL {
  init(_ source: any ModelSource, parts: Parts, dtype: DType, plan: PrecisionPlan) throws {
    try self.init(
      config: source.config(of: .vae).decode(AutoencoderConfig.self),
      layers: source.layers(of: .vae, dtype: dtype, plan: plan), parts: parts)
  }
}
