import Formats
import Ops
import Testing

@testable import Models

/// Every network against PyTorch in f32, part by part, relative 1e-4.
@Suite struct ParityTests {
  @Test(arguments: Golden.models)
  func textEncoder(model: String) throws {
    let golden = try Golden(model)
    let encoder = try CLIPTextModel(golden.folder)
    let tape = Tape(recording: false)
    var states: [[Float]] = []
    tape.observer = { path, output in if path != "final_layer_norm" { states.append(output.floats) } }
    let comparison = LayerComparison(golden, "text_encoder")
    let ids = try golden.ids("text_encoder.in.input_ids")
    let output = encoder(ids, on: tape)
    for (index, state) in states.enumerated() {
      let name = "text_encoder.hidden_states.\(index)"
      comparison.compare(name, state, try golden.floats(name))
    }
    comparison.compare("text_encoder.out", output.floats, try golden.floats("text_encoder.out"))
    let skipped = encoder(ids, clipSkip: 2, on: Tape(recording: false))
    comparison.compare(
      "text_encoder.clip_skip_2", skipped.floats, try golden.floats("text_encoder.clip_skip_2"))
    comparison.expectAllRight(fused: [])
  }

  @Test(arguments: Golden.models)
  func unet(model: String) throws {
    let golden = try Golden(model)
    let unet = try UNet2DConditionModel(golden.folder)
    let tape = Tape(recording: false)
    let comparison = LayerComparison(golden, "unet")
    comparison.attach(to: tape)
    let states = "unet.in.encoder_hidden_states"
    let context = tape.constant(try golden.shape(states), try golden.floats(states))
    let timesteps = try golden.integers("unet.in.timesteps").map(Float.init)
    let output = unet(
      try golden.picture("unet.in.latents", on: tape), timesteps: timesteps, ConstantContext(context), on: tape)
    comparison.compare("unet.out", output.floats, try golden.rows("unet.out"))
    comparison.expectAllRight(fused: [".time_proj", ".time_emb_proj", ".conv_shortcut"])
  }

  @Test(arguments: Golden.models)
  func autoencoder(model: String) throws {
    let golden = try Golden(model)
    let vae = try AutoencoderKL(golden.folder, parts: [.encoder, .decoder])
    let tape = Tape(recording: false)
    let comparison = LayerComparison(golden, "vae")
    comparison.attach(to: tape)
    let moments = vae.encode(try golden.picture("vae.in.pixels", on: tape), on: tape)
    comparison.compare("vae.out.moments", moments.floats, try golden.rows("vae.out.moments"))
    let pixels = vae.decode(try golden.picture("vae.in.latents", on: tape), on: tape)
    comparison.compare("vae.out.pixels", pixels.floats, try golden.rows("vae.out.pixels"))
    comparison.expectAllRight(
      fused: [".conv_shortcut", ".downsamplers.0", ".upsamplers.0", ".quant_conv", ".post_quant_conv"])
  }

  /// A denoising step must not keep memory from the step before.
  @Test func runningKeepsNothing() throws {
    let golden = try Golden("sd1-tiny")
    let unet = try UNet2DConditionModel(golden.folder)
    let tape = Tape(recording: false)
    let latents = try golden.picture("unet.in.latents", on: tape)
    let states = "unet.in.encoder_hidden_states"
    let context = ConstantContext(tape.constant(try golden.shape(states), try golden.floats(states)))
    var live: [Int] = []
    for _ in 0..<3 {
      _ = unet(latents, timesteps: [5, 6], context, on: tape)
      live.append(tape.pool.usage.live)
    }
    #expect(Set(live).count == 1)
  }
}

/// The guidance scale as an input of the network, as latent consistency models have it.
@Suite struct GuidanceParityTests {
  @Test func agreesWithDiffusers() throws {
    let golden = try Golden("sd1-tiny")
    let guidance = try Golden("sd1-tiny", file: "guidance.safetensors")
    let json = String(decoding: try golden.folder.config(of: "unet"), as: UTF8.self)
      .replacing(#""time_cond_proj_dim": null"#, with: #""time_cond_proj_dim": 8"#)
    let config = try decodeConfig(UNetConfig.self, from: Array(json.utf8), path: "config.json")
    let weights = try WeightSet(
      ["unet/diffusion_pytorch_model", "guidance"].map {
        try SafetensorsFile(path: "\(golden.folder.path)/\($0).safetensors")
      })
    let unet = try UNet2DConditionModel(
      config: config, layers: CheckpointLayers(weights, names: WeightNames(), dtype: .f32, plan: .full))
    #expect(unet.guidesItself)
    let tape = Tape(recording: false)
    let states = "unet.in.encoder_hidden_states"
    let context = ConstantContext(tape.constant(try golden.shape(states), try golden.floats(states)))
    let timesteps = try golden.integers("unet.in.timesteps").map(Float.init)
    let latents = try golden.picture("unet.in.latents", on: tape)
    let output = unet(latents, timesteps: timesteps, guidanceScale: 8.5, context, on: tape)
    #expect(relativeError(output.floats, try guidance.rows("unet.out")) < 1e-4)
  }
}
