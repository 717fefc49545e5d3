import Errors
import Ops
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The network that predicts noise or velocity: diffusers' UNet2DConditionModel (Ronneberger et al. 2015, Ho et al.
/// 2020, Rombach et al. 2022), driven by its config.
public struct UNet2DConditionModel: Sendable {
  public let config: UNetConfig
  let timeEmbedding: TimestepEmbedding
  let convIn: Conv2d
  let downBlocks: [DownBlock]
  let midBlock: MidBlock?
  let upBlocks: [UpBlock]
  let convNormOut: NormParameters
  let convOut: Conv2d
  /// How many cross-attentions ask for context.
  public let crossAttentionCount: Int

  /// - Throws: `badModel` naming the tensor that is missing or has another shape than the config says.
  init(config: UNetConfig, layers: any LayerSource) throws {
    let scope = WeightScope(layers)
    let widths = config.blockOutChannels
    var builder = UNetBuilder(config: config)
    self.config = config
    timeEmbedding = try TimestepEmbedding(scope["time_embedding"], config, channels: builder.timeChannels)
    convIn = try scope["conv_in"].conv2d(config.inChannels, widths[0])
    var skips = [widths[0]]
    var downBlocks: [DownBlock] = []
    for block in widths.indices {
      let down = try DownBlock(scope["down_blocks"][block], &builder, block: block)
      skips += Array(repeating: widths[block], count: down.resnets.count + (down.downsampler == nil ? 0 : 1))
      downBlocks.append(down)
    }
    self.downBlocks = downBlocks
    midBlock = try config.midBlockType.map { try MidBlock(scope["mid_block"], $0, &builder) }
    var upBlocks: [UpBlock] = []
    for block in widths.indices {
      upBlocks.append(try UpBlock(scope["up_blocks"][block], &builder, block: block, skips: &skips))
    }
    self.upBlocks = upBlocks
    convNormOut = try scope["conv_norm_out"].norm(widths[0], eps: config.normEps)
    convOut = try scope["conv_out"].conv2d(widths[0], config.outChannels)
    crossAttentionCount = builder.crossAttentions
  }

  /// Whether it takes the guidance scale as an input, as latent consistency models do.
  public var guidesItself: Bool { timeEmbedding.condProj != nil }

  /// Channels of the text encoder's hidden states that it attends to.
  public var contextWidth: Int { config.crossAttentionDim[0] }

  /// Latents must have sides that are multiples of this.
  public var sizeMultiple: Int { 1 << (config.blockOutChannels.count - 1) }

  /// latents (B, H, W, in), one timestep a picture, context (B, tokens, C) -> prediction (B, H, W, out).
  /// - Parameters:
  ///   - guidanceScale: for networks that guide themselves; the others do not look at it.
  ///   - features: takes the deep layers' part from there, or leaves it there when it is empty.
  public func callAsFunction(
    _ latents: Activation, timesteps: [Float], guidanceScale: Float = 1, _ context: some CrossAttentionContext,
    features: DeepFeatures? = nil, on tape: Tape
  ) -> Activation {
    precondition(timesteps.count == latents.batch)
    precondition(latents.shape[1] % sizeMultiple == 0 && latents.shape[2] % sizeMultiple == 0)
    let timeVector = tape.silu(timeEmbedding(timesteps, guidanceScale: guidanceScale, on: tape))  // (B, T)
    var h = tape.conv2d(latents, convIn)
    tape.observe("conv_in", h)
    var states = [h]
    let last = upBlocks[upBlocks.count - 1]
    // Behind this layer of the last up block, nothing of the deep layers comes in any more.
    let split = features.map { last.resnets.count - 1 - $0.depth } ?? 0
    if let features, let kept = features.kept {
      states += downBlocks[0](h, timeVector: timeVector, context, layers: features.depth, on: tape)
      h = kept
    } else {
      for block in downBlocks { states += block(states[states.count - 1], timeVector: timeVector, context, on: tape) }
      h = states[states.count - 1]
      if let midBlock { h = midBlock(h, timeVector: timeVector, context, on: tape) }
      for block in upBlocks.dropLast() { h = block(h, skips: &states, timeVector: timeVector, context, on: tape) }
      h = last(h, skips: &states, timeVector: timeVector, context, layers: 0..<split, on: tape)
      features?.keep(h)
    }
    h = last(h, skips: &states, timeVector: timeVector, context, layers: split..<last.resnets.count, on: tape)
    h = tape.groupNorm(h, convNormOut, groups: config.normNumGroups)
    tape.observe("conv_norm_out", h)
    return tape.conv2d(tape.silu(h), convOut)
  }
}

/// What a U-Net's deep layers gave at one step, for the steps after it (DeepCache, Ma et al. 2024): they change slowly,
/// and cost most of the time.
public final class DeepFeatures {
  /// Layers of the first down block that every step runs, and of the last up block with one more.
  let depth: Int
  /// (B, H, W, C) before the last up block's layers that every step runs.
  private(set) var kept: Activation?

  /// - Precondition: depth is one of the U-Net's `deepFeatureDepths`.
  public init(depth: Int) { self.depth = depth }

  public var isEmpty: Bool { kept == nil }

  /// Lets the next step run the whole network again.
  public func forget() { kept = nil }

  func keep(_ features: Activation) {
    // Rows that wait to be made would be made again at each step.
    _ = features.pointer
    kept = features
  }
}

extension UNet2DConditionModel {
  /// What `DeepFeatures` may leave to every step.
  public var deepFeatureDepths: ClosedRange<Int> { 1...downBlocks[0].resnets.count }
}

/// Sinusoids of the timestep through two linear layers (Vaswani et al. 2017, as diffusers' Timesteps and
/// TimestepEmbedding), and for latent consistency models those of the guidance scale beside them (Luo et al. 2023).
struct TimestepEmbedding: Sendable {
  let linear1: Linear
  let linear2: Linear
  let condProj: Linear?
  let config: UNetConfig

  init(_ scope: WeightScope, _ config: UNetConfig, channels: Int) throws {
    self.config = config
    let inputs = config.blockOutChannels[0]
    linear1 = try scope["linear_1"].linear(inputs, channels)
    linear2 = try scope["linear_2"].linear(channels, channels)
    condProj = try config.timeCondProjDim.map { try scope["cond_proj"].linear($0, inputs, bias: false) }
  }

  /// (B) -> (B, T)
  func callAsFunction(_ timesteps: [Float], guidanceScale: Float, on tape: Tape) -> Activation {
    let count = timesteps.count
    let half = Float(linear1.inputs / 2)
    let waves = timesteps.flatMap {
      sinusoids($0, linear1.inputs, spread: half - Float(config.freqShift), cosinesFirst: config.flipSinToCos)
    }
    var input = tape.constant([count, linear1.inputs], waves)
    if let condProj {
      // Thousandths, and no guidance is 0.
      let waves = sinusoids(
        (guidanceScale - 1) * 1000, condProj.inputs, spread: Float(condProj.inputs / 2) - 1, cosinesFirst: false)
      let rows = tape.constant([count, condProj.inputs], Array(repeating: waves, count: count).flatMap { $0 })
      input = tape.add(input, tape.linear(rows, condProj))
    }
    let y = tape.linear(tape.silu(tape.linear(input, linear1)), linear2)
    tape.observe("time_embedding", y)
    return y
  }

  /// In f32, as PyTorch has it: at t = 999 the rounding of the angles shows in the fourth digit.
  /// - Parameter spread: of the frequencies from 1 to 1/10,000, in indices.
  private func sinusoids(_ value: Float, _ count: Int, spread: Float, cosinesFirst: Bool) -> [Float] {
    let slope = -logf(10_000) / spread
    let angles = (0..<count / 2).map { value * expf(slope * Float($0)) }
    let (sines, cosines) = (angles.map { sinf($0) }, angles.map { cosf($0) })
    let padding = [Float](repeating: 0, count: count % 2)
    return (cosinesFirst ? cosines + sines : sines + cosines) + padding
  }
}
