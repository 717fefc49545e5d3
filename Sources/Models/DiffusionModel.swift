import Errors
import Formats
import Schedules
import Tensors
import Tokenizer

/// The parts of a text-to-image latent diffusion model, read from a diffusers folder or a single-file checkpoint.
public struct DiffusionModel: Sendable {
  /// The name of its folder, or of its file without the extension.
  public let name: String
  public let tokenizer: CLIPTokenizer
  public let textEncoder: CLIPTextModel
  public let unet: UNet2DConditionModel
  public let autoencoder: AutoencoderKL
  public let schedule: NoiseSchedule

  /// - Parameters:
  ///   - path: a diffusers folder, or a Stable Diffusion 1.x or 2.x checkpoint file.
  ///   - parts: the halves of the VAE to load: pictures out want the decoder, pictures in the encoder.
  ///   - plan: the precision of the U-Net's layers.
  /// - Throws: `fileUnavailable`, `badFile` or `badModel` naming the file, and the key or tensor.
  public init(
    path: String, parts: AutoencoderKL.Parts, dtype: DType = .f32, plan: PrecisionPlan = .full
  ) throws {
    let last = path.split(separator: "/").last.map(String.init) ?? path
    if let kind = [".safetensors", ".ckpt"].first(where: { last.hasSuffix($0) }) {
      let file = try SingleFileCheckpoint(path: path)
      try self.init(file, name: String(last.dropLast(kind.count)), parts: parts, dtype: dtype, plan: plan)
    } else {
      try self.init(DiffusersFolder(path: path), name: last, parts: parts, dtype: dtype, plan: plan)
    }
    try checkFit()
  }

  init(
    _ folder: DiffusersFolder, name: String, parts: AutoencoderKL.Parts, dtype: DType, plan: PrecisionPlan
  ) throws {
    self.name = name
    schedule = NoiseSchedule(
      try SchedulerConfig(
        json: folder.config(of: "scheduler", file: "scheduler_config.json"),
        path: "\(folder.path)/scheduler/scheduler_config.json"))
    textEncoder = try CLIPTextModel(folder, dtype: dtype)
    unet = try UNet2DConditionModel(folder, dtype: dtype, plan: plan)
    autoencoder = try AutoencoderKL(folder, parts: parts, dtype: dtype)
    tokenizer = try Self.tokenizer(folder.path)
  }

  init(
    _ file: SingleFileCheckpoint, name: String, parts: AutoencoderKL.Parts, dtype: DType, plan: PrecisionPlan
  ) throws {
    self.name = name
    tokenizer = file.tokenizer
    textEncoder = try file.textEncoder(dtype: dtype)
    unet = try file.unet(dtype: dtype, plan: plan)
    autoencoder = try file.autoencoder(parts: parts, dtype: dtype)
    schedule = file.schedule
  }

  /// The folder's own tokenizer, or CLIP's for checkpoints that carry none.
  private static func tokenizer(_ path: String) throws -> CLIPTokenizer {
    let folder = "\(path)/tokenizer"
    let hasOwn = ["vocab.json", "tokenizer.json"].contains { exists("\(folder)/\($0)") }
    return hasOwn ? try CLIPTokenizer(folder: folder) : .clip
  }

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
