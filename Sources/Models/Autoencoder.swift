import Errors
import Ops
import Tensors

/// `vae/config.json` of diffusers' AutoencoderKL.
public struct AutoencoderConfig: Decodable, Sendable {
  public let inChannels: Int
  public let outChannels: Int
  public let latentChannels: Int
  /// The latents that the U-Net sees are the encoder's, minus `shiftFactor`, times this.
  public let scalingFactor: Float
  public let shiftFactor: Float
  public let sampleSize: Int?
  let blockOutChannels: [Int]
  let layersPerBlock: Int
  let normNumGroups: Int
  let useQuantConv: Bool
  let usePostQuantConv: Bool
  let midBlockAddAttention: Bool

  private enum CodingKeys: String, CodingKey {
    case inChannels, outChannels, latentChannels, scalingFactor, shiftFactor, sampleSize, blockOutChannels
    case layersPerBlock, normNumGroups, useQuantConv, usePostQuantConv, midBlockAddAttention
    case actFn, downBlockTypes, upBlockTypes
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.refuse(.actFn, unless: "silu", "swish")
    inChannels = try keys.value(.inChannels, or: 3)
    outChannels = try keys.value(.outChannels, or: 3)
    latentChannels = try keys.value(.latentChannels, or: 4)
    scalingFactor = try keys.value(.scalingFactor, or: 0.18215)
    shiftFactor = try keys.value(.shiftFactor, or: 0)
    sampleSize = try keys.decodeIfPresent(PerBlock<Int>.self, forKey: .sampleSize)?.first
    blockOutChannels = try keys.decode([Int].self, forKey: .blockOutChannels)
    layersPerBlock = try keys.value(.layersPerBlock, or: 1)
    normNumGroups = try keys.value(.normNumGroups, or: 32)
    useQuantConv = try keys.value(.useQuantConv, or: true)
    usePostQuantConv = try keys.value(.usePostQuantConv, or: true)
    midBlockAddAttention = try keys.value(.midBlockAddAttention, or: true)
    try checkBlocks(try keys.value(.downBlockTypes, or: []), "DownEncoderBlock2D", "down_block_types")
    try checkBlocks(try keys.value(.upBlockTypes, or: []), "UpDecoderBlock2D", "up_block_types")
    let sizes = [inChannels, outChannels, latentChannels, layersPerBlock, normNumGroups] + blockOutChannels
    guard !blockOutChannels.isEmpty, sizes.allSatisfy({ $0 > 0 && $0 <= 1 << 16 }),
      blockOutChannels.allSatisfy({ $0 % normNumGroups == 0 })
    else {
      throw InversionError(.badModel, "a size is zero, negative or absurdly large, or groups do not divide a width")
    }
  }

  private func checkBlocks(_ types: [String], _ known: String, _ key: String) throws {
    guard types.count == blockOutChannels.count else {
      throw InversionError(
        .badModel, "'\(key)' has \(types.count) entries for \(blockOutChannels.count) 'block_out_channels'")
    }
    if let other = types.first(where: { $0 != known }) {
      throw InversionError(.badModel, "'\(key)' has '\(other)', which this engine does not have")
    }
  }
}

/// The picture autoencoder of latent diffusion (Rombach et al. 2022): diffusers' AutoencoderKL.
public struct AutoencoderKL: Sendable {
  public let config: AutoencoderConfig
  let encoder: Encoder?
  let decoder: Decoder?

  /// The halves that a caller needs.
  public struct Parts: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    public static let encoder = Parts(rawValue: 1)
    public static let decoder = Parts(rawValue: 2)
  }

  /// - Throws: `badModel` naming the tensor that is missing or has another shape than the config says.
  init(config: AutoencoderConfig, layers: any LayerSource, parts: Parts) throws {
    let scope = WeightScope(layers)
    self.config = config
    encoder = parts.contains(.encoder) ? try Encoder(scope, config) : nil
    decoder = parts.contains(.decoder) ? try Decoder(scope, config) : nil
  }

  /// Pixels along each side of a latent.
  public var downsampling: Int { 1 << (config.blockOutChannels.count - 1) }

  /// Pictures (B, H, W, 3) in -1...1 -> mean and log-variance of the latents, (B, H/f, W/f, 2 * latent channels).
  public func encode(_ pictures: Activation, on tape: Tape) -> Activation {
    guard let encoder else { preconditionFailure("the encoder was not loaded") }
    return encoder(pictures, on: tape)
  }

  /// Latents (B, h, w, latent channels), unscaled -> pictures (B, h*f, w*f, 3), about -1...1.
  public func decode(_ latents: Activation, on tape: Tape) -> Activation {
    guard let decoder else { preconditionFailure("the decoder was not loaded") }
    return decoder(latents, on: tape)
  }

  // MARK: Halves

  struct Encoder: Sendable {
    let convIn: Conv2d
    let downBlocks: [(resnets: [ResnetBlock2D], downsampler: Conv2d?)]
    let midBlock: AutoencoderMidBlock
    let convNormOut: NormParameters
    let convOut: Conv2d
    let quantConv: Conv2d?
    let groups: Int

    init(_ root: WeightScope, _ config: AutoencoderConfig) throws {
      let scope = root["encoder"]
      let widths = config.blockOutChannels
      groups = config.normNumGroups
      convIn = try scope["conv_in"].conv2d(config.inChannels, widths[0])
      downBlocks = try widths.indices.map { block in
        let part = scope["down_blocks"][block]
        let resnets = try (0..<config.layersPerBlock).map { layer in
          let inputs = layer == 0 ? widths[max(0, block - 1)] : widths[block]
          return try config.resnet(part["resnets"][layer], inputs, widths[block])
        }
        guard block < widths.count - 1 else { return (resnets, nil) }
        // The picture is padded below and right only.
        let conv = try part["downsamplers.0.conv"].conv2d(widths[block], widths[block], stride: 2, padding: (0, 1))
        return (resnets, conv)
      }
      let last = widths[widths.count - 1]
      midBlock = try AutoencoderMidBlock(scope["mid_block"], config)
      convNormOut = try scope["conv_norm_out"].norm(last, eps: 1e-6)
      convOut = try scope["conv_out"].conv2d(last, 2 * config.latentChannels)
      let moments = 2 * config.latentChannels
      quantConv = config.useQuantConv ? try root["quant_conv"].conv2d(moments, moments, kernel: 1) : nil
    }

    func callAsFunction(_ pictures: Activation, on tape: Tape) -> Activation {
      var h = tape.conv2d(pictures, convIn)
      tape.observe("encoder.conv_in", h)
      for (resnets, downsampler) in downBlocks {
        for resnet in resnets { h = resnet(h, timeVector: nil, on: tape) }
        if let downsampler { h = tape.conv2d(h, downsampler) }
      }
      h = midBlock(h, on: tape)
      h = tape.groupNorm(h, convNormOut, groups: groups)
      tape.observe("encoder.conv_norm_out", h)
      h = tape.conv2d(tape.silu(h), convOut)
      return quantConv.map { tape.conv2d(h, $0) } ?? h
    }
  }

  struct Decoder: Sendable {
    let postQuantConv: Conv2d?
    let convIn: Conv2d
    let midBlock: AutoencoderMidBlock
    let upBlocks: [(resnets: [ResnetBlock2D], upsampler: Conv2d?)]
    let convNormOut: NormParameters
    let convOut: Conv2d
    let groups: Int

    init(_ root: WeightScope, _ config: AutoencoderConfig) throws {
      let scope = root["decoder"]
      let widths: [Int] = config.blockOutChannels.reversed()
      let latent = config.latentChannels
      groups = config.normNumGroups
      postQuantConv = config.usePostQuantConv ? try root["post_quant_conv"].conv2d(latent, latent, kernel: 1) : nil
      convIn = try scope["conv_in"].conv2d(latent, widths[0])
      midBlock = try AutoencoderMidBlock(scope["mid_block"], config)
      upBlocks = try widths.indices.map { block in
        let part = scope["up_blocks"][block]
        let resnets = try (0...config.layersPerBlock).map { layer in
          let inputs = layer == 0 ? widths[max(0, block - 1)] : widths[block]
          return try config.resnet(part["resnets"][layer], inputs, widths[block])
        }
        guard block < widths.count - 1 else { return (resnets, nil) }
        return (resnets, try part["upsamplers.0.conv"].conv2d(widths[block], widths[block]))
      }
      let last = widths[widths.count - 1]
      convNormOut = try scope["conv_norm_out"].norm(last, eps: 1e-6)
      convOut = try scope["conv_out"].conv2d(last, config.outChannels)
    }

    func callAsFunction(_ latents: Activation, on tape: Tape) -> Activation {
      var h = tape.conv2d(postQuantConv.map { tape.conv2d(latents, $0) } ?? latents, convIn)
      tape.observe("decoder.conv_in", h)
      h = midBlock(h, on: tape)
      for (resnets, upsampler) in upBlocks {
        for resnet in resnets { h = resnet(h, timeVector: nil, on: tape) }
        if let upsampler { h = tape.conv2d(tape.upsampleNearest2x(h), upsampler) }
      }
      h = tape.groupNorm(h, convNormOut, groups: groups)
      tape.observe("decoder.conv_norm_out", h)
      return tape.conv2d(tape.silu(h), convOut)
    }
  }
}

extension AutoencoderConfig {
  fileprivate func resnet(_ scope: WeightScope, _ inputs: Int, _ outputs: Int) throws -> ResnetBlock2D {
    try ResnetBlock2D(scope, inputs, outputs, timeChannels: nil, groups: normNumGroups, eps: 1e-6)
  }
}

/// Resnet, one-head attention over the pixels where the config wants it, resnet.
struct AutoencoderMidBlock: Sendable {
  let resnets: [ResnetBlock2D]
  let attention: (norm: NormParameters, layer: AttentionLayer)?
  let groups: Int

  init(_ scope: WeightScope, _ config: AutoencoderConfig) throws {
    let channels = config.blockOutChannels[config.blockOutChannels.count - 1]
    groups = config.normNumGroups
    resnets = try (0..<2).map { try config.resnet(scope["resnets"][$0], channels, channels) }
    let part = scope["attentions"][0]
    attention =
      config.midBlockAddAttention
      ? (
        try part["group_norm"].norm(channels, eps: 1e-6),
        try AttentionLayer(part, channels, context: channels, heads: 1, bias: true)
      ) : nil
  }

  func callAsFunction(_ x: Activation, on tape: Tape) -> Activation {
    var h = resnets[0](x, timeVector: nil, on: tape)
    if let (norm, layer) = attention {
      let tokens = [h.batch, h.rows / h.batch, h.channels]
      let seen = tape.reshape(tape.groupNorm(h, norm, groups: groups), tokens)
      h = tape.add(tape.reshape(layer(seen, keys: seen, values: seen, on: tape), h.shape), h)
      tape.observe(layer.path, h)
    }
    return resnets[1](h, timeVector: nil, on: tape)
  }
}
