import Errors
import Images
import Models
import Ops
import Schedules

/// The pictures of one request while they are made. Each `next()` is one denoising step of the whole batch, so the
/// caller shows progress and cancels by simply not asking for more.
public final class PictureSynthesis: Sequence, IteratorProtocol {
  public let request: GenerationRequest
  /// In order of appearance in the prompts.
  public let used: [UsedEmbedding]
  public let unused: [UnusedEmbedding]

  private let model: DiffusionModel
  private let size: PictureSize
  private let tape: Tape
  private var contexts: StepContexts
  private let reuse: StepReuse
  private var sampler: any Sampler
  private var noise: LatentNoise
  /// (height, width, channels)
  private let latentShape: [Int]
  /// Of the starting picture; nil when noise alone is the start.
  private let initial: InitialLatents?
  /// (count, height, width, channels), in the sampler's scale.
  private var latents: [Float]
  private var step = 0

  /// - Parameters:
  ///   - states: hidden states of prompts that are known already, and will be.
  ///   - encoder: what reads the request's starting picture, where it has one.
  ///   - noise: (count, channels, height, width) of standard deviation 1; drawn from the seed where nil.
  init(
    _ request: GenerationRequest, _ encoding: PromptEncoding, _ model: DiffusionModel, _ size: PictureSize,
    states: PromptStates = PromptStates(), encoder: AutoencoderKL? = nil, budget: MemoryBudget = .unlimited,
    noise: [Float]? = nil
  ) throws {
    self.request = request
    tape = WorkingMemory(budget).makeTape()
    self.model = model
    self.size = size
    used = encoding.used
    unused = encoding.unused
    sampler = try request.sampler.make(model.schedule, steps: request.steps, spacing: request.scheduler)
    var contexts = StepContexts(encoding, states, request, model)
    let firstStep = request.start?.firstStep(of: request.steps) ?? 0
    let first = contexts.context(step: firstStep, on: tape).0
    self.contexts = contexts
    reuse = StepReuse(request, first: first, firstStep: firstStep, isGuided: request.isGuided(model), on: tape)
    // What has computed makes room for the U-Net, whose weights are most of the peak; the system may keep the pages.
    model.releasePages(of: .textEncoder)
    let factor = model.autoencoder.downsampling
    let shape = [size.height / factor, size.width / factor, model.unet.config.inChannels]
    var ownNoise = LatentNoise(request, shape: shape)
    latents = noise.map { rowsFromPlanes($0, request.count, shape[2], shape[0], shape[1]) } ?? ownNoise.draw()
    latentShape = shape
    self.noise = ownNoise
    guard let start = request.start, let encoder else {
      initial = nil
      for index in latents.indices { latents[index] *= sampler.initialNoiseScale }
      return
    }
    let initial = InitialLatents(start, encoder, size: size, steps: request.steps, noise: latents, on: tape)
    self.initial = initial
    latents = initial.latents(sampler)
    step = initial.firstStep
  }

  /// How many steps `next()` takes in all.
  public var steps: Int { sampler.steps - (initial?.firstStep ?? 0) }

  /// Takes one step and says which one it was (1-based), or nil after the last.
  public func next() -> Int? {
    guard step < sampler.steps else { return nil }
    reuse.begin(step: step)
    if !reuse.isGated(step: step) { reuse.context.base = context() }
    sampler.step(step, latents: &latents, predict: predict, noise: { noise.draw() })
    step += 1
    initial?.restore(&latents, before: step, sampler)
    return step - (initial?.firstStep ?? 0)
  }

  /// Encodes the prompts where they are others than at the step before.
  private func context() -> ConstantContext {
    let (context, isNew) = contexts.context(step: step, on: tape)
    if isNew { model.releasePages(of: .textEncoder) }
    return context
  }

  /// The network's prediction for the latents as it wants to see them, with guidance.
  private func predict(_ input: [Float], timestep: Float) -> [Float] {
    reuse.beginCall()
    let isGuided = request.isGuided(model) && !reuse.isGated(step: step)
    let batch = (isGuided ? 2 : 1) * request.count
    let prediction = model.unet(
      tape.constant([batch] + latentShape, isGuided ? input + input : input),
      timesteps: Array(repeating: timestep, count: batch), guidanceScale: request.guidanceScale, reuse.context,
      features: reuse.features, on: tape
    ).floats
    return isGuided ? guided(prediction) : prediction
  }

  /// Classifier-free guidance (Ho and Salimans 2022): negative + scale * (positive - negative).
  private func guided(_ prediction: [Float]) -> [Float] {
    let half = prediction.count / 2
    let scale = request.guidanceScale
    return (0..<half).map { prediction[$0] + scale * (prediction[half + $0] - prediction[$0]) }
  }

  /// The pictures of the latents as they stand: after the last step, the result.
  /// - Throws: `diverged` when the latents are not finite, as with a broken model.
  public func decode() throws -> [Picture] {
    guard latents.allSatisfy(\.isFinite) else {
      throw InversionError(.diverged, "'\(model.name)' gave values that are not finite; check its weights")
    }
    let each = latents.count / request.count
    let (scale, shift) = (model.autoencoder.config.scalingFactor, model.autoencoder.config.shiftFactor)
    // Decoding needs far more memory than denoising: the U-Net's weights make room, and pictures come one at a time.
    model.releasePages(of: .unet)
    tape.pool.dropFree()
    defer { model.releasePages(of: .vae) }
    return (0..<request.count).map { picture in
      let own = latents[picture * each..<(picture + 1) * each].map { $0 / scale + shift }
      let pixels = model.autoencoder.decode(tape.constant([1] + latentShape, own), on: tape).floats
      let made = Picture(width: size.width, height: size.height, pixels: pixels.map(Self.byte))
      return initial?.composed(made) ?? made
    }
  }

  /// -1...1 to 0...255; the comparison sends NaN to 0.
  private static func byte(_ value: Float) -> UInt8 {
    let scaled = (value * 127.5 + 127.5).rounded()
    return scaled > 0 ? UInt8(Swift.min(scaled, 255)) : 0
  }

  /// (count, channels, height, width), for comparisons.
  package var latentPlanes: [Float] {
    let shape = latentShape
    return planesFromRows(latents, request.count, shape[2], shape[0], shape[1])
  }
}

extension GenerationRequest {
  /// Whether the negative prompt takes part. A network that takes the guidance scale as an input guides itself.
  func isGuided(_ model: DiffusionModel) -> Bool { guidanceScale > 1 && !model.unet.guidesItself }
}
