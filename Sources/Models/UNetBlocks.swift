import Ops

/// What the blocks of one U-Net share while it is built.
struct UNetBuilder {
  let config: UNetConfig
  /// Cross-attentions so far, in the order of the forward pass.
  var crossAttentions = 0

  var timeChannels: Int { 4 * config.blockOutChannels[0] }

  func resnet(_ scope: WeightScope, _ inputs: Int, _ outputs: Int) throws -> ResnetBlock2D {
    try ResnetBlock2D(
      scope, inputs, outputs, timeChannels: timeChannels, groups: config.normNumGroups, eps: config.normEps)
  }

  mutating func transformer(_ scope: WeightScope, block: Int) throws -> Transformer2D {
    try Transformer2D(
      scope, config.blockOutChannels[block], context: config.crossAttentionDim[block],
      heads: config.attentionHeads[block], layers: config.transformerLayersPerBlock[block],
      groups: config.normNumGroups, crossAttentions: &crossAttentions)
  }
}

/// DownBlock2D and CrossAttnDownBlock2D: resnets, a transformer after each where there are any, a strided convolution.
struct DownBlock: Sendable {
  let resnets: [ResnetBlock2D]
  let attentions: [Transformer2D]
  let downsampler: Conv2d?
  let path: String

  init(_ scope: WeightScope, _ builder: inout UNetBuilder, block: Int) throws {
    let config = builder.config
    let outputs = config.blockOutChannels[block]
    var channels = config.blockOutChannels[max(0, block - 1)]
    var resnets: [ResnetBlock2D] = []
    var attentions: [Transformer2D] = []
    for layer in 0..<config.layersPerBlock[block] {
      resnets.append(try builder.resnet(scope["resnets"][layer], channels, outputs))
      channels = outputs
      if config.downBlockTypes[block] == .crossAttention {
        attentions.append(try builder.transformer(scope["attentions"][layer], block: block))
      }
    }
    self.resnets = resnets
    self.attentions = attentions
    path = scope.path
    let padding = config.downsamplePadding
    let isLast = block == config.blockOutChannels.count - 1
    downsampler =
      isLast
      ? nil
      : try scope["downsamplers.0.conv"].conv2d(outputs, outputs, stride: 2, padding: (padding, padding))
  }

  /// Returns every state that an up block will want: after each layer, and after the downsampler.
  /// - Parameter layers: how many of the layers to run, without the downsampler; nil runs all.
  func callAsFunction(
    _ x: Activation, timeVector: Activation, _ context: some CrossAttentionContext, layers: Int? = nil, on tape: Tape
  ) -> [Activation] {
    var h = x
    var states: [Activation] = []
    for (index, resnet) in resnets.prefix(layers ?? resnets.count).enumerated() {
      let layer = UNetLayer(resnet: resnet, attention: index < attentions.count ? attentions[index] : nil)
      h = layer([h], timeVector: timeVector, context, on: tape)
      states.append(h)
    }
    if let downsampler, layers == nil {
      h = tape.conv2d(h, downsampler)
      tape.observe("\(path).downsamplers.0", h)
      states.append(h)
    }
    return states
  }
}

/// UNetMidBlock2DCrossAttn: resnet, transformer, resnet; UNetMidBlock2D: one resnet.
struct MidBlock: Sendable {
  let resnets: [ResnetBlock2D]
  let attention: Transformer2D?

  init(_ scope: WeightScope, _ type: UNetConfig.MidBlockType, _ builder: inout UNetBuilder) throws {
    let block = builder.config.blockOutChannels.count - 1
    let channels = builder.config.blockOutChannels[block]
    attention =
      type == .crossAttention ? try builder.transformer(scope["attentions"][0], block: block) : nil
    resnets = try (0..<(type == .crossAttention ? 2 : 1)).map {
      try builder.resnet(scope["resnets"][$0], channels, channels)
    }
  }

  func callAsFunction(
    _ x: Activation, timeVector: Activation, _ context: some CrossAttentionContext, on tape: Tape
  ) -> Activation {
    let h = UNetLayer(resnet: resnets[0], attention: attention)([x], timeVector: timeVector, context, on: tape)
    guard resnets.count > 1 else { return h }
    return UNetLayer(resnet: resnets[1], attention: nil)([h], timeVector: timeVector, context, on: tape)
  }
}

/// UpBlock2D and CrossAttnUpBlock2D: each resnet takes the latest unused state of the down path beside its input.
struct UpBlock: Sendable {
  let resnets: [ResnetBlock2D]
  let attentions: [Transformer2D]
  let upsampler: Conv2d?
  let path: String

  /// - Parameters:
  ///   - block: counted along the up path; its mirror in the down path gives the sizes.
  ///   - skips: channels of the down path's states not yet used, last in, first out.
  init(_ scope: WeightScope, _ builder: inout UNetBuilder, block: Int, skips: inout [Int]) throws {
    let config = builder.config
    let blocks = config.blockOutChannels.count
    let mirror = blocks - 1 - block
    let outputs = config.blockOutChannels[mirror]
    var channels = config.blockOutChannels[min(mirror + 1, blocks - 1)]
    var resnets: [ResnetBlock2D] = []
    var attentions: [Transformer2D] = []
    for layer in 0...config.layersPerBlock[mirror] {
      let skip = skips.removeLast()
      resnets.append(try builder.resnet(scope["resnets"][layer], channels + skip, outputs))
      channels = outputs
      if config.upBlockTypes[block] == .crossAttention {
        attentions.append(try builder.transformer(scope["attentions"][layer], block: mirror))
      }
    }
    self.resnets = resnets
    self.attentions = attentions
    path = scope.path
    upsampler = block == blocks - 1 ? nil : try scope["upsamplers.0.conv"].conv2d(outputs, outputs)
  }

  /// - Parameter layers: which of them to run; the upsampler follows the last.
  func callAsFunction(
    _ x: Activation, skips: inout [Activation], timeVector: Activation, _ context: some CrossAttentionContext,
    layers: Range<Int>? = nil, on tape: Tape
  ) -> Activation {
    var h = x
    for index in layers ?? resnets.indices {
      let layer = UNetLayer(resnet: resnets[index], attention: index < attentions.count ? attentions[index] : nil)
      h = layer([h, skips.removeLast()], timeVector: timeVector, context, on: tape)
    }
    if let upsampler, (layers ?? resnets.indices).upperBound == resnets.count {
      h = tape.conv2d(tape.upsampleNearest2x(h), upsampler)
      tape.observe("\(path).upsamplers.0", h)
    }
    return h
  }
}
