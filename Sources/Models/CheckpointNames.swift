/// Weight names of single-file checkpoints, which keep those of the original latent-diffusion code (CompVis), as rules
/// over diffusers' paths. All Stable Diffusion 1.x and 2.x files have two resnets a level.
enum CheckpointNames {
  /// Blocks of one level in `input_blocks` and `output_blocks`: two layers and a resampler.
  private static let stride = 3

  /// `down_blocks.0.resnets.1.conv1.weight` -> `model.diffusion_model.input_blocks.2.0.in_layers.2.weight`.
  static func unet(_ path: String) -> String? {
    let parts = path.split(separator: ".").map(String.init)
    guard let name = unetPart(parts) else { return nil }
    return "model.diffusion_model.\(name)"
  }

  private static func unetPart(_ parts: [String]) -> String? {
    func rest(_ count: Int) -> [String] { Array(parts.dropFirst(count)) }
    switch parts[0] {
    case "time_embedding": return join("time_embed", parts[1] == "linear_1" ? "0" : "2", tail: rest(2))
    case "conv_in": return join("input_blocks.0.0", tail: rest(1))
    case "conv_norm_out": return join("out.0", tail: rest(1))
    case "conv_out": return join("out.2", tail: rest(1))
    case "mid_block":
      let position = parts[1] == "attentions" ? "1" : parts[2] == "0" ? "0" : "2"
      return join("middle_block", position, tail: inner(parts[1], rest(3), resnet))
    case "down_blocks":
      guard let level = Int(parts[1]), let layer = Int(parts[3]) else { return nil }
      if parts[2] == "downsamplers" { return join("input_blocks", "\(stride * (level + 1))", "0.op", tail: rest(5)) }
      let block = "\(stride * level + layer + 1)"
      return join("input_blocks", block, parts[2] == "resnets" ? "0" : "1", tail: inner(parts[2], rest(4), resnet))
    case "up_blocks":
      guard let level = Int(parts[1]), let layer = Int(parts[3]) else { return nil }
      if parts[2] == "upsamplers" {
        // The first level of the up path has no attention before its upsampler.
        return join("output_blocks", "\(stride * level + 2)", level == 0 ? "1.conv" : "2.conv", tail: rest(5))
      }
      let block = "\(stride * level + layer)"
      return join("output_blocks", block, parts[2] == "resnets" ? "0" : "1", tail: inner(parts[2], rest(4), resnet))
    default: return nil
    }
  }

  /// `decoder.up_blocks.0.resnets.1.norm1.weight` -> `first_stage_model.decoder.up.3.block.1.norm1.weight`.
  static func autoencoder(_ path: String, levels: Int) -> String? {
    let parts = path.split(separator: ".").map(String.init)
    guard ["encoder", "decoder"].contains(parts[0]) else { return "first_stage_model.\(path)" }
    func rest(_ count: Int) -> [String] { Array(parts.dropFirst(count)) }
    let half = "first_stage_model.\(parts[0])"
    switch parts[1] {
    case "conv_norm_out": return join(half, "norm_out", tail: rest(2))
    case "mid_block":
      if parts[2] == "attentions" { return join(half, "mid.attn_1", tail: attention(rest(4))) }
      return join(half, "mid.block_\((Int(parts[3]) ?? 0) + 1)", tail: shortcut(rest(4)))
    case "down_blocks", "up_blocks":
      guard let index = Int(parts[2]) else { return nil }
      // The original counts its up path from the finest level.
      let isDown = parts[1] == "down_blocks"
      let level = "\(isDown ? "down" : "up").\(isDown ? index : levels - 1 - index)"
      switch parts[3] {
      case "resnets": return join(half, level, "block", parts[4], tail: shortcut(rest(5)))
      case "downsamplers": return join(half, level, "downsample", tail: rest(5))
      default: return join(half, level, "upsample", tail: rest(5))
      }
    default: return join(half, tail: rest(1))
    }
  }

  /// Stable Diffusion 1.x holds transformers' own names behind a prefix.
  static func clipText(_ path: String) -> [String] {
    ["cond_stage_model.transformer.text_model.\(path)", "cond_stage_model.transformer.\(path)"]
  }

  /// Stable Diffusion 2.x holds OpenCLIP's, with queries, keys and values stacked: the name, and which third of it.
  static func openCLIPText(_ path: String) -> (name: String, third: Int?)? {
    let prefix = "cond_stage_model.model."
    let parts = path.split(separator: ".").map(String.init)
    switch parts[0] {
    case "embeddings":
      return (prefix + (parts[1] == "token_embedding" ? "token_embedding.weight" : "positional_embedding"), nil)
    case "final_layer_norm": return (prefix + join("ln_final", tail: Array(parts.dropFirst())), nil)
    case "encoder":
      let layer = prefix + "transformer.resblocks.\(parts[2])"
      let kind = parts[parts.count - 1]
      if let third = ["q_proj", "k_proj", "v_proj"].firstIndex(of: parts[4]) {
        return ("\(layer).attn.in_proj_\(kind)", third)
      }
      let names = [
        "layer_norm1": "ln_1", "layer_norm2": "ln_2", "out_proj": "attn.out_proj", "fc1": "mlp.c_fc",
        "fc2": "mlp.c_proj",
      ]
      guard let name = names[parts[3]] ?? names[parts[4]] else { return nil }
      return ("\(layer).\(name).\(kind)", nil)
    default: return nil
    }
  }

  // MARK: Parts

  private static let resnet = [
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
  ]

  /// Inside a resnet the layers have other names; inside a transformer they are the same.
  private static func inner(_ kind: String, _ parts: [String], _ names: [String: String]) -> [String] {
    guard kind == "resnets", let name = names[parts[0]] else { return parts }
    return [name] + parts.dropFirst()
  }

  private static func shortcut(_ parts: [String]) -> [String] {
    parts[0] == "conv_shortcut" ? ["nin_shortcut"] + parts.dropFirst() : parts
  }

  private static func attention(_ parts: [String]) -> [String] {
    let names = ["group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"]
    // `to_out.0` is a linear layer in a list.
    return [names[parts[0]] ?? parts[0]] + parts.dropFirst(parts[0] == "to_out" ? 2 : 1)
  }

  private static func join(_ heads: String..., tail: [String]) -> String { (heads + tail).joined(separator: ".") }
}
