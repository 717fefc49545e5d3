import Errors
import Schedules
import Tensors
import Tokenizer

/// The parts of a text-to-image latent diffusion model, read from a package, a diffusers folder or a single-file
/// checkpoint.
public struct DiffusionModel: Sendable {
  /// The name of its folder, or of its file without the extension.
  public let name: String
  public let tokenizer: CLIPTokenizer
  public let textEncoder: CLIPTextModel
  public let unet: UNet2DConditionModel
  public let autoencoder: AutoencoderKL
  public let schedule: NoiseSchedule
  private let layers: [Network: any LayerSource]

  /// - Parameters:
  ///   - path: a package, a diffusers folder, or a Stable Diffusion 1.x or 2.x checkpoint file.
  ///   - parts: the halves of the VAE to load: pictures out want the decoder, pictures in the encoder.
  ///   - plan: the precision of the layers; a package has its own.
  /// - Throws: `fileUnavailable`, `badFile` or `badModel` naming the file, and the key or tensor.
  public init(path: String, parts: AutoencoderKL.Parts, dtype: DType = .f32, plan: ModelPlan = .full) throws {
    try self.init(openModel(path: path), parts: parts, dtype: dtype, plan: plan)
  }

  package init(_ source: any ModelSource, parts: AutoencoderKL.Parts, dtype: DType = .f32, plan: ModelPlan = .full)
    throws
  {
    name = source.name
    let scheduler = try source.schedulerConfig()
    schedule = NoiseSchedule(try SchedulerConfig(json: scheduler.json, path: scheduler.path))
    func layers(_ network: Network) throws -> any LayerSource {
      try source.layers(of: network, dtype: dtype, plan: plan[network])
    }
    let (text, unet, vae) = (try layers(.textEncoder), try layers(.unet), try layers(.vae))
    textEncoder = try CLIPTextModel(
      config: source.config(of: .textEncoder).decode(TextEncoderConfig.self), layers: text)
    self.unet = try UNet2DConditionModel(config: source.config(of: .unet).decode(UNetConfig.self), layers: unet)
    autoencoder = try AutoencoderKL(
      config: source.config(of: .vae).decode(AutoencoderConfig.self), layers: vae, parts: parts)
    self.layers = [.textEncoder: text, .unet: unet, .vae: vae]
    tokenizer = try source.tokenizer().load()
    try checkFit()
  }

  /// Takes the weights of a network out of this process' memory where they are pages of a package: they come in again
  /// as its layers compute, from the page cache or from the disk.
  public func releasePages(of network: Network) { layers[network]?.releasePages() }

  /// How many such pages a network has.
  func mappedBytes(of network: Network) -> Int { layers[network]?.mappedBytes ?? 0 }

  private func checkFit() throws {
    func refuse(_ what: String, _ one: Int, _ other: Int) throws {
      guard one == other else {
        throw InversionError(.badModel, "'\(name)': \(what) (\(one) and \(other)); use the parts of one model")
      }
    }
    try refuse(
      "text encoder and U-Net differ in width", textEncoder.config.hiddenSize, unet.contextWidth)
    try refuse(
      "VAE and U-Net differ in latent channels", autoencoder.config.latentChannels, unet.config.inChannels)
    try refuse("U-Net takes and gives different channels", unet.config.inChannels, unet.config.outChannels)
    guard tokenizer.vocabularySize <= textEncoder.config.vocabSize else {
      throw InversionError(
        .badModel,
        "'\(name)': the tokenizer has \(tokenizer.vocabularySize) tokens, the text encoder "
          + "\(textEncoder.config.vocabSize); use the parts of one model")
    }
  }

  /// Pixels of a side of the pictures for which the model was trained.
  public var nativeSize: Int {
    (unet.config.sampleSize ?? 64) * autoencoder.downsampling
  }

  /// Sides of pictures are multiples of this.
  public var sizeMultiple: Int { autoencoder.downsampling * unet.sizeMultiple }

  /// Tokens that a prompt may have, without start and end.
  public var promptRoom: Int { textEncoder.config.maxPositionEmbeddings - 2 }

  /// Start token, `ids`, end token, padding up to the text encoder's length.
  /// - Throws: `promptTooLong` with both counts.
  public func framed(_ ids: [Int]) throws -> [Int] {
    guard ids.count <= promptRoom else {
      throw InversionError(
        .promptTooLong, "the prompt has \(ids.count) tokens, '\(name)' reads \(promptRoom); shorten it")
    }
    let padding = Array(repeating: Int(tokenizer.pad), count: promptRoom - ids.count)
    return [Int(tokenizer.bos)] + ids + [Int(tokenizer.eos)] + padding
  }
}
