import Formats
import Ops
import Testing

@testable import Models

/// The gradient of the Textual Inversion loss with respect to the learned rows, through U-Net and text encoder.
@Suite struct WholeGradientTests {
  struct Problem {
    let encoder: CLIPTextModel
    let unet: UNet2DConditionModel
    let golden: Golden

    init(_ model: String, wide: Bool) throws {
      golden = try Golden(model, file: "gradient.safetensors")
      encoder = try CLIPTextModel(golden.folder, dtype: wide ? .f64 : .f32)
      unet = try UNet2DConditionModel(golden.folder, dtype: wide ? .f64 : .f32)
    }

    /// In int8 as it is served.
    init(quantised model: String) throws { try self.init(model, .int8) }

    init(_ model: String, _ precision: LayerPrecision, wide: Bool = false) throws {
      golden = try Golden(model, file: "gradient.safetensors")
      let (source, plan) = (try openModel(path: golden.folder.path), ModelPlan(precision))
      encoder = try CLIPTextModel(source, dtype: wide ? .f64 : .f32, plan: plan[.textEncoder])
      unet = try UNet2DConditionModel(source, dtype: wide ? .f64 : .f32, plan: plan[.unet])
    }

    /// The mean squared error, and its gradient with respect to `rows` where that is asked for.
    func loss(
      _ rows: [Double], wide: Bool, wantsGradient: Bool, setUp: (Tape) -> Void = { _ in }
    ) throws -> (loss: Double, gradient: [Double]) {
      let tape = Tape(dtype: wide ? .f64 : .f32, recording: true)
      setUp(tape)
      let shape = try golden.shape("rows")
      let learned = tape.variable(shape, rows)
      let states = encoder(try golden.ids("input_ids"), learned: learned, on: tape)
      let prediction = unet(
        try golden.picture("noisy_latents", on: tape), timesteps: try golden.integers("timesteps").map(Float.init),
        ConstantContext(states), on: tape)
      let target = try golden.rows("target").map(Double.init)
      let differences = zip(prediction.doubles, target).map { $0 - $1 }
      let loss = differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)
      guard wantsGradient else { return (loss, []) }
      let seed = tape.variable(prediction.shape, differences.map { 2 * $0 / Double(differences.count) })
      tape.backward([(prediction, seed)])
      return (loss, tape.gradient(of: learned)?.doubles ?? [])
    }
  }

  private func cosine(_ a: [Double], _ b: [Double]) -> Double {
    let dot = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    let lengths = [a, b].map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    return dot / (lengths[0] * lengths[1])
  }

  /// Gate (b): the directional derivative of the whole model in Double, relative 1e-5.
  @Test(arguments: Golden.models)
  func directionalDerivative(model: String) throws {
    let problem = try Problem(model, wide: true)
    let rows = try problem.golden.floats("rows").map(Double.init)
    let direction = rows.indices.map { Double(($0 * 7919) % 13) / 6 - 1 }
    let step = 1e-4
    func moved(_ distance: Double) -> [Double] { zip(rows, direction).map { $0 + distance * $1 } }
    let numeric =
      (try problem.loss(moved(step), wide: true, wantsGradient: false).loss
        - problem.loss(moved(-step), wide: true, wantsGradient: false).loss) / (2 * step)
    let gradient = try problem.loss(rows, wide: true, wantsGradient: true).gradient
    let exact = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(numeric - exact) <= 1e-5 * abs(exact), "differences give \(numeric), the tape \(exact)")
  }

  /// Computing blocks again gives what was kept.
  @Test(arguments: Golden.models)
  func recomputing(model: String) throws {
    let problem = try Problem(model, wide: true)
    let rows = try problem.golden.floats("rows").map(Double.init)
    let kept = try problem.loss(rows, wide: true, wantsGradient: true)
    let again = try problem.loss(rows, wide: true, wantsGradient: true) { $0.recomputes = true }
    #expect(kept.loss == again.loss)
    for (one, other) in zip(kept.gradient, again.gradient) { #expect(abs(one - other) <= 1e-12 * abs(one) + 1e-18) }
  }

  /// Values kept in int8 cost next to nothing: by themselves, where gradients are not rounded, and beside int8 layers,
  /// of whose ways back no two agree better than each with the straight-through gradient.
  @Test(arguments: Golden.models)
  func savedInInt8(model: String) throws {
    let problem = try Problem(quantised: model)
    let rows = try problem.golden.floats("rows").map(Double.init)
    func gradient(straightThrough: Bool, savesInt8: Bool) throws -> (loss: Double, gradient: [Double]) {
      try problem.loss(rows, wide: false, wantsGradient: true) {
        $0.isStraightThrough = straightThrough
        $0.savesInt8 = savesInt8
      }
    }
    let straight = try gradient(straightThrough: true, savesInt8: false)
    let straightSaved = try gradient(straightThrough: true, savesInt8: true)
    let (ours, oursSaved) = (
      try gradient(straightThrough: false, savesInt8: false), try gradient(straightThrough: false, savesInt8: true)
    )
    for other in [straightSaved, ours, oursSaved] { #expect(straight.loss == other.loss) }
    let alone = cosine(straight.gradient, straightSaved.gradient)
    #expect(alone >= 0.999 && alone < 1, "\(alone)")
    let (kept, saved) = (cosine(straight.gradient, ours.gradient), cosine(straight.gradient, oursSaved.gradient))
    #expect(saved >= 0.99 && saved >= kept - 0.001 && saved != kept, "\(saved) of \(kept)")
  }

  /// Gate (e): the way back in int8 against the straight-through gradient of the same int8 forward.
  @Test(arguments: Golden.models, [false, true])
  func quantised(model: String, recomputes: Bool) throws {
    let problem = try Problem(quantised: model)
    let rows = try problem.golden.floats("rows").map(Double.init)
    let ours = try problem.loss(rows, wide: false, wantsGradient: true) { $0.recomputes = recomputes }
    let exact = try problem.loss(rows, wide: false, wantsGradient: true) {
      $0.recomputes = recomputes
      $0.isStraightThrough = true
    }
    #expect(ours.loss == exact.loss)
    let similarity = cosine(ours.gradient, exact.gradient)
    #expect(similarity >= 0.99 && similarity < 1, "\(similarity)")
  }

  /// Gate (d): the gradient through weights in f16 and bf16 against that in Double through the same weights, which are
  /// not those of the f32 model.
  @Test(arguments: Golden.models, [LayerPrecision.f16, .bf16])
  func halves(model: String, precision: LayerPrecision) throws {
    let problem = try Problem(model, precision)
    let rows = try problem.golden.floats("rows").map(Double.init)
    let gradient = try problem.loss(rows, wide: false, wantsGradient: true).gradient
    let exact = try Problem(model, precision, wide: true).loss(rows, wide: true, wantsGradient: true).gradient
    #expect(cosine(gradient, exact) >= 0.999)
    let unrounded = cosine(exact, try problem.golden.doubles("d_rows.f64"))
    // How far rounding the weights moves it; some models are stored in f16.
    let (least, most) = precision == .f16 ? (0.999, 1.000001) : (0.98, 0.9999999)
    #expect(unrounded >= least && unrounded < most, "\(precision): \(unrounded)")
  }

  /// In Double against PyTorch's f64, and gate (c): f32 within a cosine of 0.999999 of it.
  @Test(arguments: Golden.models)
  func agreesWithPyTorch(model: String) throws {
    for wide in [true, false] {
      let problem = try Problem(model, wide: wide)
      let rows = try problem.golden.floats("rows").map(Double.init)
      let (loss, gradient) = try problem.loss(rows, wide: wide, wantsGradient: true)
      let expected = try problem.golden.doubles("d_rows.f64")
      let expectedLoss = try problem.golden.doubles("loss.f64")[0]
      // f64 differs by the f32 rounding of the timestep's sinusoids and of the latents.
      #expect(abs(loss - expectedLoss) <= 1e-5 * expectedLoss)
      #expect(cosine(gradient, expected) >= 0.999999)
      let lengths = [gradient, expected].map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
      #expect(abs(lengths[0] / lengths[1] - 1) <= 1e-4)
    }
  }
}
