import Ops
import Tensors

/// Projections to queries, keys and values, multi-head attention, and the projection back (diffusers' `Attention`).
struct AttentionLayer: Sendable {
  let path: String
  let toQ: Linear
  let toK: Linear
  let toV: Linear
  let toOut: Linear
  let heads: Int

  init(_ scope: WeightScope, _ channels: Int, context: Int, heads: Int, bias: Bool = false) throws {
    path = scope.path
    self.heads = heads
    toQ = try scope["to_q"].linear(channels, channels, bias: bias)
    toK = try scope["to_k"].linear(context, channels, bias: bias)
    toV = try scope["to_v"].linear(context, channels, bias: bias)
    toOut = try scope["to_out.0"].linear(channels, channels)
  }

  /// x (B, N, C), sources of keys and values (B, M, context) -> (B, N, C).
  func callAsFunction(_ x: Activation, keys: Activation, values: Activation, on tape: Tape) -> Activation {
    let h = tape.attention(
      tape.linear(x, toQ), tape.linear(keys, toK), tape.linear(values, toV), heads: heads,
      precision: toQ.attentionPrecision)
    return tape.linear(h, toOut)
  }
}

/// Self-attention, cross-attention and a GEGLU feed-forward, each after a LayerNorm and around a shortcut.
struct BasicTransformerBlock: Sendable {
  let path: String
  let norm1: NormParameters
  let attn1: AttentionLayer
  let norm2: NormParameters
  let attn2: AttentionLayer
  let norm3: NormParameters
  let ffNet0Proj: Linear
  let ffNet2: Linear
  /// Which cross-attention of the network this is, in the order of the forward pass.
  let crossAttentionIndex: Int

  init(_ scope: WeightScope, _ channels: Int, context: Int, heads: Int, crossAttentionIndex: Int) throws {
    let eps = 1e-5
    path = scope.path
    self.crossAttentionIndex = crossAttentionIndex
    norm1 = try scope["norm1"].norm(channels, eps: eps)
    attn1 = try AttentionLayer(scope["attn1"], channels, context: channels, heads: heads)
    norm2 = try scope["norm2"].norm(channels, eps: eps)
    attn2 = try AttentionLayer(scope["attn2"], channels, context: context, heads: heads)
    norm3 = try scope["norm3"].norm(channels, eps: eps)
    // Four times as wide inside, twice that for value and gate.
    ffNet0Proj = try scope["ff.net.0.proj"].linear(channels, 8 * channels)
    ffNet2 = try scope["ff.net.2"].linear(4 * channels, channels)
  }

  /// x (B, N, C) -> (B, N, C)
  func callAsFunction(_ x: Activation, _ context: some CrossAttentionContext, on tape: Tape) -> Activation {
    let seen = tape.layerNorm(x, norm1)
    var change = attn1(seen, keys: seen, values: seen, on: tape)
    tape.observe(attn1.path, change)
    var h = tape.add(change, x)
    change = context.output(layer: crossAttentionIndex) {
      let (keys, values) = context.rows(layer: crossAttentionIndex)
      return attn2(tape.layerNorm(h, norm2), keys: keys, values: values, on: tape)
    }
    tape.observe(attn2.path, change)
    h = tape.add(change, h)
    let wide = tape.geglu(tape.linear(tape.layerNorm(h, norm3), ffNet0Proj))
    change = tape.linear(wide, ffNet2)
    tape.observe("\(path).ff", change)
    let y = tape.add(change, h)
    tape.observe(path, y)
    return y
  }
}

/// Transformer blocks over the pixels of a picture (diffusers' Transformer2DModel).
struct Transformer2D: Sendable {
  let path: String
  let norm: NormParameters
  /// Linear, or a 1x1 convolution, which over rows is the same.
  let projIn: Linear
  let transformerBlocks: [BasicTransformerBlock]
  let projOut: Linear
  let groups: Int

  init(
    _ scope: WeightScope, _ channels: Int, context: Int, heads: Int, layers: Int, groups: Int,
    crossAttentions: inout Int
  ) throws {
    path = scope.path
    self.groups = groups
    norm = try scope["norm"].norm(channels, eps: 1e-6)
    projIn = try scope["proj_in"].linear(channels, channels)
    var blocks: [BasicTransformerBlock] = []
    for index in 0..<layers {
      blocks.append(
        try BasicTransformerBlock(
          scope["transformer_blocks"][index], channels, context: context, heads: heads,
          crossAttentionIndex: crossAttentions))
      crossAttentions += 1
    }
    transformerBlocks = blocks
    projOut = try scope["proj_out"].linear(channels, channels)
  }

  /// The cross-attentions in it, by their place in the network.
  var crossAttentions: [Int] { transformerBlocks.map(\.crossAttentionIndex) }

  /// x (B, H, W, C) -> (B, H, W, C)
  func callAsFunction(_ x: Activation, _ context: some CrossAttentionContext, on tape: Tape) -> Activation {
    let tokens = [x.batch, x.rows / x.batch, x.channels]
    var h = tape.linear(tape.reshape(tape.groupNorm(x, norm, groups: groups), tokens), projIn)
    for block in transformerBlocks { h = block(h, context, on: tape) }
    let y = tape.add(tape.reshape(tape.linear(h, projOut), x.shape), x)
    tape.observe(path, y)
    return y
  }
}

/// Where cross-attention finds its context. Keys and values are apart and asked for by layer, so that prompts which
/// differ by layer, by timestep or between keys and values are just other providers.
public protocol CrossAttentionContext {
  /// Sources of keys and values (B, tokens, context) for the network's `layer`-th cross-attention.
  func rows(layer: Int) -> (keys: Activation, values: Activation)
  /// What that cross-attention gives (B, N, C): `attend()`, or what an earlier step kept.
  func output(layer: Int, _ attend: () -> Activation) -> Activation
}

extension CrossAttentionContext {
  public func output(layer: Int, _ attend: () -> Activation) -> Activation { attend() }
}

/// The plain case: the text encoder's hidden states everywhere.
public struct ConstantContext: CrossAttentionContext {
  private let states: Activation

  public init(_ states: Activation) { self.states = states }

  public func rows(layer: Int) -> (keys: Activation, values: Activation) { (states, states) }
}
