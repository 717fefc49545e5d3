import Errors
import Formats
import Tensors

/// A Stable Diffusion 1.x or 2.x checkpoint in one file, safetensors, `.ckpt` or GGUF, as AUTOMATIC1111, most model
/// sites and stable-diffusion.cpp have them. Such a file carries no configs: sizes are read from the shapes of its
/// tensors, the rest follows from the family.
struct SingleFileCheckpoint: ModelSource {
  /// What no shape tells.
  struct Constants {
    var normGroups = 32
    /// Heads of the U-Net in 1.x.
    var unetHeads = 8
    /// Channels of a head, of the text encoder and of the U-Net in 2.x.
    var headWidth = 64
    var pixelsPerSide = 512
  }

  private enum Family { case sd1, sd2 }

  private let path: String
  private let weights: WeightSet
  private let family: Family
  private let constants: Constants

  /// - Throws: `fileUnavailable`, `badFile`; `badModel` for a file of another kind.
  init(path: String, constants: Constants = Constants()) throws {
    self.path = path
    self.constants = constants
    weights = try WeightSet(path: path)
    guard weights["model.diffusion_model.input_blocks.0.0.weight"] != nil,
      weights["conditioner.embedders.1.model.ln_final.weight"] == nil
    else { throw ForeignModel(weights: weights, path: path).error }
    family = weights["cond_stage_model.model.ln_final.weight"] == nil ? .sd1 : .sd2
  }

  // MARK: Parts

  var name: String {
    let last = path.split(separator: "/").last.map(String.init) ?? path
    return last.split(separator: ".").dropLast().joined(separator: ".")
  }

  func config(of network: Network) throws -> ConfigText {
    let config =
      switch network {
      case .textEncoder: try textConfig()
      case .unet: try unetConfig()
      case .vae: try vaeConfig(vaeWidths())
      }
    return ConfigText(config, path: path)
  }

  func layers(of network: Network, dtype: DType, plan: PrecisionPlan) throws -> any LayerSource {
    let names: WeightNames =
      switch network {
      case .textEncoder: .checkpointText
      case .unet: .checkpointUNet
      case .vae: .checkpointAutoencoder(levels: try vaeWidths().count)
      }
    return CheckpointLayers(weights, names: names, dtype: dtype, plan: plan)
  }

  /// CLIP's own; Stable Diffusion 2.x pads with `!`.
  func tokenizer() -> TokenizerSource { .clip(pad: family == .sd1 ? nil : "!") }

  /// The schedule that all these models were trained with.
  func schedulerConfig() -> ConfigText {
    ConfigText(
      json(
        """
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000,
         "steps_offset": 1, "set_alpha_to_one": false,
         "prediction_type": "\(predictsVelocity ? "v_prediction" : "epsilon")"}
        """), path: path)
  }

  /// Newer files mark velocity prediction by a tensor; for older ones AUTOMATIC1111's users keep a `.yaml` of the same
  /// name beside the file.
  private var predictsVelocity: Bool {
    if weights["v_pred"] != nil { return true }
    let stem = path.split(separator: "/").last?.split(separator: ".").dropLast().joined(separator: ".") ?? ""
    let folder = path.dropLast(path.split(separator: "/").last?.count ?? 0)
    guard let yaml = try? readFile(path: "\(folder)\(stem).yaml") else { return false }
    return String(decoding: yaml, as: UTF8.self).contains("parameterization: \"v\"")
  }

  // MARK: Configs

  private func shape(_ name: String) throws -> [Int] { try weights.entry(name).shape }

  /// The first dimension of each of a run of tensors that ends where a name is missing.
  private func widths(_ name: (Int) -> String) -> [Int] {
    var found: [Int] = []
    while let entry = weights[name(found.count)], let width = entry.shape.first { found.append(width) }
    return found
  }

  private func unetConfig() throws -> [UInt8] {
    let prefix = "model.diffusion_model."
    let widths = widths { "\(prefix)input_blocks.\(3 * $0 + 1).0.out_layers.3.weight" }
    let attends = widths.indices.map { weights["\(prefix)input_blocks.\(3 * $0 + 1).1.proj_in.weight"] != nil }
    let firstBlock = "\(prefix)input_blocks.1.1"
    let context = try shape("\(firstBlock).transformer_blocks.0.attn2.to_k.weight")[1]
    let heads = family == .sd1 ? widths.map { _ in constants.unetHeads } : widths.map { $0 / constants.headWidth }
    let down = attends.map { $0 ? "\"CrossAttnDownBlock2D\"" : "\"DownBlock2D\"" }
    let up = attends.reversed().map { $0 ? "\"CrossAttnUpBlock2D\"" : "\"UpBlock2D\"" }
    return json(
      """
      {"block_out_channels": \(widths), "down_block_types": [\(down.joined(separator: ","))],
       "up_block_types": [\(up.joined(separator: ","))], "attention_head_dim": \(heads),
       "cross_attention_dim": \(context), "layers_per_block": 2, "norm_num_groups": \(constants.normGroups),
       "in_channels": \(try shape("\(prefix)input_blocks.0.0.weight")[1]),
       "out_channels": \(try shape("\(prefix)out.2.weight")[0]),
       "use_linear_projection": \(try shape("\(firstBlock).proj_in.weight").count == 2),
       "sample_size": \(constants.pixelsPerSide >> (try vaeWidths().count - 1))}
      """)
  }

  private func vaeWidths() throws -> [Int] {
    let widths = widths { "first_stage_model.encoder.down.\($0).block.0.conv1.weight" }
    guard !widths.isEmpty else {
      throw InversionError(.badModel, "'\(path)': no VAE in the file; use a checkpoint that has one")
    }
    return widths
  }

  private func vaeConfig(_ widths: [Int]) throws -> [UInt8] {
    let down = widths.map { _ in "\"DownEncoderBlock2D\"" }.joined(separator: ",")
    let up = widths.map { _ in "\"UpDecoderBlock2D\"" }.joined(separator: ",")
    return json(
      """
      {"block_out_channels": \(widths), "down_block_types": [\(down)], "up_block_types": [\(up)],
       "layers_per_block": 2, "norm_num_groups": \(constants.normGroups), "scaling_factor": 0.18215,
       "latent_channels": \(try shape("first_stage_model.post_quant_conv.weight")[0])}
      """)
  }

  private func textConfig() throws -> [UInt8] {
    let isClip = family == .sd1
    let names: WeightNames = .checkpointText
    func shape(_ path: String) throws -> [Int] {
      let places = names.candidates(for: path)
      return try self.shape((places.first { weights[$0.name] != nil } ?? places[0]).name)
    }
    let tokens = try shape("embeddings.token_embedding.weight")
    let layers = widths { layer in
      let places = names.candidates(for: "encoder.layers.\(layer).layer_norm1.weight")
      return (places.first { weights[$0.name] != nil } ?? places[0]).name
    }
    // Stable Diffusion 2.x was trained on the layer before the last, so the last is left out.
    return json(
      """
      {"hidden_size": \(tokens[1]), "vocab_size": \(tokens[0]),
       "max_position_embeddings": \(try shape("embeddings.position_embedding.weight")[0]),
       "num_hidden_layers": \(isClip ? layers.count : layers.count - 1),
       "intermediate_size": \(try shape("encoder.layers.0.mlp.fc1.weight")[0]),
       "num_attention_heads": \(tokens[1] / constants.headWidth),
       "hidden_act": "\(isClip ? "quick_gelu" : "gelu")"}
      """)
  }

  private func json(_ text: String) -> [UInt8] { Array(text.utf8) }
}
