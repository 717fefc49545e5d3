import Formats
import Ops
import Testing

@testable import Models

/// The U-Net with int8 layers against the same in f32.
@Suite struct QuantisedTests {
  /// Random tiny weights are the hard case: their layers are narrow, so that rounding averages out little.
  @Test(arguments: Golden.models)
  func staysCloseToF32(model: String) throws {
    let golden = try Golden(model)
    func output(_ plan: PrecisionPlan) throws -> [Float] {
      let unet = try UNet2DConditionModel(golden.folder, plan: plan)
      let tape = Tape(recording: false)
      let states = "unet.in.encoder_hidden_states"
      let context = tape.constant(try golden.shape(states), try golden.floats(states))
      let timesteps = try golden.integers("unet.in.timesteps").map(Float.init)
      return unet(
        try golden.picture("unet.in.latents", on: tape), timesteps: timesteps, ConstantContext(context), on: tape
      ).floats
    }
    let error = relativeError(try output(.int8), try output(.full))
    // 20 dB of signal to quantisation noise is what a faithful picture needs; equal values would mean that no layer
    // was quantised.
    #expect(error < 0.1 && error > 1e-5, "relative error \(error)")
  }

  @Test func theSensitiveLayersStay() {
    let plan = PrecisionPlan.int8
    for kept in ["conv_in", "conv_out", "time_embedding.linear_1", "down_blocks.0.resnets.0.time_emb_proj"] {
      #expect(!plan.isInt8(kept))
    }
    for layer in ["down_blocks.0.resnets.0.conv1", "mid_block.attentions.0.proj_in", "conv_in_like"] {
      #expect(plan.isInt8(layer))
      #expect(!PrecisionPlan.full.isInt8(layer))
    }
  }
}
