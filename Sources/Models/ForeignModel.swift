import Errors
import Formats

/// A file of tensors that is no checkpoint of Stable Diffusion 1.x or 2.x.
struct ForeignModel {
  let weights: WeightSet
  let path: String

  /// Says what it is, as far as the names tell, and what to do.
  var error: InversionError { InversionError(.badModel, "'\(path)': \(what)") }

  private var what: String {
    if ForeignContent.isLoRA(weights.names) {
      return "a LoRA, which is not supported; give a checkpoint, such as one into which it was merged"
    }
    let known = Self.marks.first { mark in weights.names.contains { $0.hasPrefix(mark.prefix) } }
    if let known { return known.what }
    if isEmbedding { return "an embedding, not a model; 'inversion embeddings add' takes it" }
    return "not a Stable Diffusion checkpoint (no 'model.diffusion_model.…'); give a diffusers model's folder"
  }

  private static let onlyThese = "only Stable Diffusion 1.x and 2.x are supported"
  private static let wholeFolder = "give the folder of the whole model"
  private static let marks: [(prefix: String, what: String)] = [
    ("conditioner.embedders.", "a Stable Diffusion XL checkpoint; \(onlyThese)"),
    ("model.diffusion_model.joint_blocks.", "a Stable Diffusion 3 checkpoint; \(onlyThese)"),
    ("joint_blocks.", "a Stable Diffusion 3 checkpoint; \(onlyThese)"),
    ("model.diffusion_model.double_blocks.", "a Flux checkpoint; \(onlyThese)"),
    ("double_blocks.", "a Flux checkpoint; \(onlyThese)"),
    ("model.diffusion_model.", "no 'model.diffusion_model.input_blocks.0.0.weight' in it; \(onlyThese)"),
    ("control_model.", "a ControlNet, which is not supported; give a checkpoint"),
    ("controlnet_", "a ControlNet, which is not supported; give a checkpoint"),
    ("blk.", "a language model; \(onlyThese)"), ("model.layers.", "a language model; \(onlyThese)"),
    ("down_blocks.", "a U-Net alone; \(wholeFolder)"), ("text_model.", "a text encoder alone; \(wholeFolder)"),
    ("cond_stage_model.", "a text encoder without a U-Net; give a whole checkpoint"),
    ("first_stage_model.", "a VAE alone; give a whole checkpoint"),
    ("decoder.", "a VAE alone; give a whole checkpoint"),
  ]

  /// A tensor of vectors, or a few of the same width.
  private var isEmbedding: Bool {
    let shapes = weights.names.compactMap { weights[$0]?.shape }
    return (1...16).contains(shapes.count)
      && shapes.allSatisfy {
        (1...2).contains($0.count) && $0.count == shapes[0].count && ($0.count == 1 || $0[0] <= 75)
      }
  }
}
