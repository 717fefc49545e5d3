import Errors
import Formats
import Foundation
import Ops
import Tensors
import Testing

@testable import Models

/// A tiny model saved under the names of single-file checkpoints gives what its diffusers folder gives.
@Suite struct SingleFileTests {
  /// Writes sd1-tiny as one file, without its own tokenizer's vocabulary to hold it to.
  private static func write(_ golden: Golden, to path: String, leavingOut hidden: String? = nil) throws {
    var writer = SafetensorsWriter()
    let parts: [(component: String, names: WeightNames)] = [
      ("unet", .checkpointUNet), ("vae", .checkpointAutoencoder(levels: 2)), ("text_encoder", .checkpointText),
    ]
    for (component, names) in parts {
      let weights = try golden.folder.weights(of: component)
      for name in weights.names where hidden.map({ !name.contains($0) }) ?? true {
        let own = name.hasPrefix("text_model.") ? String(name.dropFirst(11)) : name
        let place = try #require(names.candidates(for: own).first)
        let entry = try weights.entry(name)
        writer.add(
          place.name, dtype: try entry.dtype, shape: entry.shape, bytes: Array(try weights.contents(of: entry).bytes))
      }
    }
    try writer.write(to: path)
  }

  private static func withFile(
    leavingOut hidden: String? = nil, _ body: (Golden, SingleFileCheckpoint) throws -> Void
  ) throws {
    let golden = try Golden("sd1-tiny")
    let path = NSTemporaryDirectory() + "inversion-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try write(golden, to: path, leavingOut: hidden)
    let constants = SingleFileCheckpoint.Constants(normGroups: 4, unetHeads: 2, headWidth: 8, pixelsPerSide: 16)
    try body(golden, SingleFileCheckpoint(path: path, constants: constants))
  }

  @Test func sameOutputs() throws {
    try Self.withFile { golden, file in
      let tape = Tape(recording: false)
      let encoder = try CLIPTextModel(file, dtype: .f32, plan: .full)
      let states = encoder(try golden.ids("text_encoder.in.input_ids"), on: tape)
      #expect(relativeError(states.floats, try golden.floats("text_encoder.out")) < 1e-4)

      let context = "unet.in.encoder_hidden_states"
      let unet = try UNet2DConditionModel(file, dtype: .f32, plan: .full)
      let prediction = unet(
        try golden.picture("unet.in.latents", on: tape),
        timesteps: try golden.integers("unet.in.timesteps").map(Float.init),
        ConstantContext(tape.constant(try golden.shape(context), try golden.floats(context))), on: tape)
      #expect(relativeError(prediction.floats, try golden.rows("unet.out")) < 1e-4)

      let vae = try AutoencoderKL(file, parts: [.encoder, .decoder], dtype: .f32, plan: .full)
      let pixels = vae.decode(try golden.picture("vae.in.latents", on: tape), on: tape)
      #expect(relativeError(pixels.floats, try golden.rows("vae.out.pixels")) < 1e-4)
      let moments = vae.encode(try golden.picture("vae.in.pixels", on: tape), on: tape)
      #expect(relativeError(moments.floats, try golden.rows("vae.out.moments")) < 1e-4)
      #expect(unet.config.sampleSize == 8)
    }
  }

  @Test(arguments: ["conv_in", "mid_block.resnets.1.norm1"])
  func aMissingWeightIsNamed(weight: String) throws {
    do {
      try Self.withFile(leavingOut: weight) { _, file in
        _ = try UNet2DConditionModel(file, dtype: .f32, plan: .full)
        Issue.record("it loaded")
      }
    } catch let error as InversionError {
      #expect(error.code == .badModel && error.message.contains("model.diffusion_model"), "\(error.message)")
    }
  }

  /// The first tensor decides; whatever the file is called, its content is looked at.
  @Test(arguments: [
    ("<cat>", [1, 4], "an embedding"), ("emb_params", [2, 4], "an embedding"),
    ("lora_unet_mid_block.lora_down.weight", [4, 4], "a LoRA"),
    ("unet.mid_block.attn1.to_q.lora_A.weight", [4, 4], "a LoRA"),
    ("conditioner.embedders.1.model.ln_final.weight", [4], "Stable Diffusion XL"),
    ("model.diffusion_model.joint_blocks.0.x.weight", [4, 4], "Stable Diffusion 3"),
    ("double_blocks.0.img_attn.proj.weight", [4, 4], "Flux"), ("blk.0.attn_q.weight", [4, 4], "a language model"),
    ("control_model.input_blocks.0.0.weight", [4, 4, 3, 3], "a ControlNet"),
    ("first_stage_model.decoder.conv_in.weight", [4, 4, 3, 3], "a VAE alone"),
    ("decoder.conv_in.weight", [4, 4, 3, 3], "a VAE alone"),
    ("text_model.final_layer_norm.weight", [4], "encoder alone"),
    ("down_blocks.0.resnets.0.conv1.weight", [4, 4, 3, 3], "a U-Net alone"),
    ("anything", [4, 4, 3], "not a Stable Diffusion checkpoint"),
  ])
  func saysWhatIsNoCheckpoint(tensor: String, shape: [Int], what: String) throws {
    let path = NSTemporaryDirectory() + "inversion-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var writer = SafetensorsWriter()
    writer.add(tensor, shape: shape, values: Array(repeating: 1, count: shape.reduce(1, *)))
    try writer.write(to: path)
    let error = #expect(throws: InversionError.self) { try DiffusionModel(path: path, parts: .decoder) }
    #expect(error?.code == .badModel && error?.message.contains(what) == true, "\(error?.message ?? "")")
  }
}
