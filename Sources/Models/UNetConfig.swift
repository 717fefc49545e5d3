import Errors

/// `unet/config.json` of diffusers' UNet2DConditionModel: the keys that shape the network. A key that would change the
/// network in a way that is not here is refused by name.
public struct UNetConfig: Decodable, Sendable {
  public let inChannels: Int
  public let outChannels: Int
  /// The latents' side for which the model was trained.
  public let sampleSize: Int?
  let downBlockTypes: [DownBlockType]
  let midBlockType: MidBlockType?
  let upBlockTypes: [UpBlockType]
  let blockOutChannels: [Int]
  let layersPerBlock: [Int]
  let crossAttentionDim: [Int]
  /// Heads of each block; diffusers calls the key `attention_head_dim` for historical reasons.
  let attentionHeads: [Int]
  let transformerLayersPerBlock: [Int]
  let normNumGroups: Int
  let normEps: Double
  let useLinearProjection: Bool
  let downsamplePadding: Int
  let flipSinToCos: Bool
  let freqShift: Double
  /// Width of the guidance scale's sinusoids, for networks that take it as an input.
  let timeCondProjDim: Int?

  enum DownBlockType: String, Decodable, Sendable {
    case plain = "DownBlock2D"
    case crossAttention = "CrossAttnDownBlock2D"
  }
  enum MidBlockType: String, Decodable, Sendable {
    case plain = "UNetMidBlock2D"
    case crossAttention = "UNetMidBlock2DCrossAttn"
  }
  enum UpBlockType: String, Decodable, Sendable {
    case plain = "UpBlock2D"
    case crossAttention = "CrossAttnUpBlock2D"
  }

  private enum CodingKeys: String, CodingKey {
    case inChannels, outChannels, sampleSize, downBlockTypes, midBlockType, upBlockTypes, blockOutChannels
    case layersPerBlock, crossAttentionDim, attentionHeadDim, numAttentionHeads, transformerLayersPerBlock
    case normNumGroups, normEps, useLinearProjection, downsamplePadding, flipSinToCos, freqShift, timeCondProjDim
    // Refused unless they have the value that changes nothing.
    case actFn, additionEmbedType, attentionType, centerInputSample, classEmbedType, convInKernel, convOutKernel
    case crossAttentionNorm, dualCrossAttention, encoderHidDim, encoderHidDimType, midBlockOnlyCrossAttention
    case numClassEmbeds, onlyCrossAttention, resnetTimeScaleShift, timeEmbeddingType
    case timestepPostAct, dropout
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try Self.refuseUnknown(keys)
    inChannels = try keys.value(.inChannels, or: 4)
    outChannels = try keys.value(.outChannels, or: 4)
    sampleSize = try keys.decodeIfPresent(PerBlock<Int>.self, forKey: .sampleSize)?.first
    downBlockTypes = try keys.decode([DownBlockType].self, forKey: .downBlockTypes)
    upBlockTypes = try keys.decode([UpBlockType].self, forKey: .upBlockTypes)
    // Absent is the default block, null is none.
    midBlockType =
      keys.contains(.midBlockType)
      ? try keys.decodeIfPresent(MidBlockType.self, forKey: .midBlockType) : .crossAttention
    blockOutChannels = try keys.decode([Int].self, forKey: .blockOutChannels)
    let blocks = blockOutChannels.count
    guard blocks > 0, downBlockTypes.count == blocks, upBlockTypes.count == blocks else {
      throw InversionError(
        .badModel,
        "'down_block_types', 'up_block_types' and 'block_out_channels' have \(downBlockTypes.count), "
          + "\(upBlockTypes.count) and \(blocks) entries; they need the same number")
    }
    func perBlock(_ key: CodingKeys, or fallback: Int, _ name: String) throws -> [Int] {
      try keys.value(key, or: PerBlock(fallback)).expanded(to: blocks, name)
    }
    layersPerBlock = try perBlock(.layersPerBlock, or: 2, "layers_per_block")
    crossAttentionDim = try perBlock(.crossAttentionDim, or: 1280, "cross_attention_dim")
    let headKey: CodingKeys =
      try keys.decodeIfPresent(PerBlock<Int>.self, forKey: .numAttentionHeads) == nil
      ? .attentionHeadDim : .numAttentionHeads
    attentionHeads = try perBlock(headKey, or: 8, "attention_head_dim")
    transformerLayersPerBlock = try perBlock(.transformerLayersPerBlock, or: 1, "transformer_layers_per_block")
    normNumGroups = try keys.value(.normNumGroups, or: 32)
    normEps = try keys.value(.normEps, or: 1e-5)
    useLinearProjection = try keys.value(.useLinearProjection, or: false)
    downsamplePadding = try keys.value(.downsamplePadding, or: 1)
    flipSinToCos = try keys.value(.flipSinToCos, or: true)
    freqShift = try keys.value(.freqShift, or: 0)
    timeCondProjDim = try keys.decodeIfPresent(Int.self, forKey: .timeCondProjDim)
    try checkSizes()
  }

  private static func refuseUnknown(_ keys: KeyedDecodingContainer<CodingKeys>) throws {
    try keys.refuse(.actFn, unless: "silu", "swish")
    try keys.refuse(.attentionType, unless: "default")
    try keys.refuse(.convInKernel, unless: "3.0")
    try keys.refuse(.convOutKernel, unless: "3.0")
    try keys.refuse(.resnetTimeScaleShift, unless: "default")
    try keys.refuse(.timeEmbeddingType, unless: "positional")
    let off: [CodingKeys] = [
      .centerInputSample, .dualCrossAttention, .midBlockOnlyCrossAttention, .onlyCrossAttention,
    ]
    for key in off { try keys.refuse(key, unless: "false") }
    let absent: [CodingKeys] = [
      .additionEmbedType, .classEmbedType, .crossAttentionNorm, .encoderHidDim, .encoderHidDimType, .numClassEmbeds,
      .timestepPostAct,
    ]
    for key in absent { try keys.refuse(key) }
  }

  private func checkSizes() throws {
    let positive = [inChannels, outChannels, normNumGroups] + layersPerBlock + crossAttentionDim + attentionHeads
    guard (positive + transformerLayersPerBlock + blockOutChannels).allSatisfy({ $0 > 0 && $0 <= 1 << 16 }) else {
      throw InversionError(.badModel, "a size is zero, negative or absurdly large")
    }
    if let timeCondProjDim, !(4...1 << 16).contains(timeCondProjDim) {
      throw InversionError(.badModel, "'time_cond_proj_dim' is \(timeCondProjDim)")
    }
    guard Set(crossAttentionDim).count == 1 else {
      throw InversionError(.badModel, "'cross_attention_dim' differs between blocks, which this engine does not have")
    }
    for (channels, heads) in zip(blockOutChannels, attentionHeads) {
      guard channels % normNumGroups == 0, channels % heads == 0 else {
        throw InversionError(
          .badModel,
          "'block_out_channels' \(channels) does not divide into \(normNumGroups) norm groups and \(heads) heads")
      }
    }
  }
}
