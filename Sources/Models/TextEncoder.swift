import Errors
import Ops
import Tensors

/// `text_encoder/config.json` of transformers' CLIPTextModel.
public struct TextEncoderConfig: Decodable, Sendable {
  public let hiddenSize: Int
  public let vocabSize: Int
  /// Room for tokens, the start and end tokens included.
  public let maxPositionEmbeddings: Int
  public let numHiddenLayers: Int
  let intermediateSize: Int
  let numAttentionHeads: Int
  let layerNormEps: Double
  let activation: ActivationFunction

  private enum CodingKeys: String, CodingKey {
    case hiddenSize, vocabSize, maxPositionEmbeddings, numHiddenLayers, intermediateSize, numAttentionHeads
    case layerNormEps, hiddenAct
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    hiddenSize = try keys.value(.hiddenSize, or: 512)
    vocabSize = try keys.value(.vocabSize, or: 49408)
    maxPositionEmbeddings = try keys.value(.maxPositionEmbeddings, or: 77)
    numHiddenLayers = try keys.value(.numHiddenLayers, or: 12)
    intermediateSize = try keys.value(.intermediateSize, or: 2048)
    numAttentionHeads = try keys.value(.numAttentionHeads, or: 8)
    layerNormEps = try keys.value(.layerNormEps, or: 1e-5)
    let name = try keys.value(.hiddenAct, or: "quick_gelu")
    guard let activation = ActivationFunction(rawValue: name) else {
      throw InversionError(.badModel, "'hidden_act' is '\(name)', which this engine does not have")
    }
    self.activation = activation
    let sizes = [hiddenSize, vocabSize, maxPositionEmbeddings, numHiddenLayers, intermediateSize, numAttentionHeads]
    guard sizes.allSatisfy({ $0 > 0 && $0 <= 1 << 20 }), hiddenSize % numAttentionHeads == 0 else {
      throw InversionError(
        .badModel, "a size is zero, negative or absurdly large, or the heads do not divide the width")
    }
  }
}

/// CLIP's text transformer (Radford et al. 2021; transformers' CLIPTextModel): causal, pre-norm.
public struct CLIPTextModel: Sendable {
  public let config: TextEncoderConfig
  public let embeddings: TokenEmbedding
  let layers: [CLIPEncoderLayer]
  let finalLayerNorm: NormParameters

  /// - Throws: `badModel` naming the tensor that is missing or has another shape than the config says.
  init(config: TextEncoderConfig, layers source: any LayerSource) throws {
    let scope = WeightScope(source)
    let width = config.hiddenSize
    self.config = config
    embeddings = TokenEmbedding(
      tokens: try scope["embeddings.token_embedding"].table(rows: config.vocabSize, columns: width),
      positions: try scope["embeddings.position_embedding"].table(rows: config.maxPositionEmbeddings, columns: width))
    layers = try (0..<config.numHiddenLayers).map { try CLIPEncoderLayer(scope["encoder.layers"][$0], config) }
    finalLayerNorm = try scope["final_layer_norm"].norm(width, eps: config.layerNormEps)
  }

  /// ids (B, N) -> hidden states (B, N, C).
  ///
  /// - Parameters:
  ///   - learned: rows (n, C) for the ids from the vocabulary's size on.
  ///   - clipSkip: 1 takes the last layer's output, 2 the one before; the final LayerNorm follows either.
  public func callAsFunction(
    _ ids: [[Int]], learned: Activation? = nil, clipSkip: Int = 1, on tape: Tape
  ) -> Activation {
    precondition(clipSkip >= 1 && clipSkip <= layers.count)
    var h = tape.tokenEmbedding(ids, embeddings, learned: learned)
    tape.observe("embeddings", h)
    for layer in layers.prefix(layers.count - clipSkip + 1) { h = layer(h, on: tape) }
    let y = tape.layerNorm(h, finalLayerNorm)
    tape.observe("final_layer_norm", y)
    return y
  }
}

/// Causal self-attention and a two-layer perceptron, each after a LayerNorm and around a shortcut.
struct CLIPEncoderLayer: Sendable {
  let path: String
  let layerNorm1: NormParameters
  let qProj: Linear
  let kProj: Linear
  let vProj: Linear
  let outProj: Linear
  let layerNorm2: NormParameters
  let fc1: Linear
  let fc2: Linear
  let heads: Int
  let activation: ActivationFunction

  init(_ scope: WeightScope, _ config: TextEncoderConfig) throws {
    let width = config.hiddenSize
    path = scope.path
    heads = config.numAttentionHeads
    activation = config.activation
    layerNorm1 = try scope["layer_norm1"].norm(width, eps: config.layerNormEps)
    qProj = try scope["self_attn.q_proj"].linear(width, width)
    kProj = try scope["self_attn.k_proj"].linear(width, width)
    vProj = try scope["self_attn.v_proj"].linear(width, width)
    outProj = try scope["self_attn.out_proj"].linear(width, width)
    layerNorm2 = try scope["layer_norm2"].norm(width, eps: config.layerNormEps)
    fc1 = try scope["mlp.fc1"].linear(width, config.intermediateSize)
    fc2 = try scope["mlp.fc2"].linear(config.intermediateSize, width)
  }

  /// x (B, N, C) -> (B, N, C)
  func callAsFunction(_ x: Activation, on tape: Tape) -> Activation {
    let seen = tape.layerNorm(x, layerNorm1)
    let attended = tape.attention(
      tape.linear(seen, qProj), tape.linear(seen, kProj), tape.linear(seen, vProj), heads: heads, causal: true)
    let h = tape.add(x, tape.linear(attended, outProj))
    let wide = tape.activation(tape.linear(tape.layerNorm(h, layerNorm2), fc1), activation)
    let y = tape.add(h, tape.linear(wide, fc2))
    tape.observe(path, y)
    return y
  }
}
