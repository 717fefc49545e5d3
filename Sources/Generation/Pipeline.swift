import Embeddings
import Errors
import Images
import Models
import Ops

/// A model ready to make pictures: tokenizer, text encoder, U-Net, VAE decoder and scheduler of one folder.
///
/// Immutable and safe to share; each `PictureSynthesis` has its own working memory.
public final class Pipeline: Sendable {
  let model: DiffusionModel
  private let encoder: LazyEncoder
  private let budget: MemoryBudget
  let states = PromptStates()

  /// - Parameters:
  ///   - folder: a model package, a diffusers folder or a checkpoint file.
  ///   - budget: how much memory making pictures may take; unlimited leaves it to the room that each picture finds.
  ///   - plan: the precision of the layers; a package has its own.
  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  public init(folder: String, budget: MemoryBudget = .unlimited, plan: ModelPlan = .full) throws {
    self.budget = budget
    model = try DiffusionModel(path: folder, parts: .decoder, plan: plan)
    encoder = LazyEncoder(path: folder)
  }

  public var modelName: String { model.name }
  /// The side in pixels of the pictures for which the model was trained.
  public var nativeSize: Int { model.nativeSize }
  /// Width of the token embeddings, which learned embeddings must share.
  public var embeddingWidth: Int { model.textEncoder.config.hiddenSize }
  /// Which embeddings fit, and which words are taken.
  public var embeddingVocabulary: EmbeddingVocabulary { EmbeddingVocabulary(model) }

  /// Checks the request, encodes its prompts and draws the first noise; no denoising step is taken yet.
  /// - Parameter room: bytes of memory that there are; nil for plenty.
  /// - Throws: `invalidArgument`, `promptTooLong`, `unknownEmbedding`, `badEmbedding`.
  public func begin(
    _ request: GenerationRequest, embeddings: EmbeddingTable, room: Int? = nil
  ) throws -> PictureSynthesis {
    let size = try PictureSize(request, model)
    try check(request)
    let encoding = try PromptEncoding(request, embeddings, model)
    let encoder = try request.start.map { _ in try self.encoder.get() }
    let budget = workingSet(of: request, in: room).budget
    return try PictureSynthesis(request, encoding, model, size, states: states, encoder: encoder, budget: budget)
  }

  /// About how many bytes a request needs at its peak where there are `room`, beyond what the model holds already.
  public func memory(of request: GenerationRequest, in room: Int) -> Int {
    let (pixels, activations, budget) = workingSet(of: request, in: room)
    return pixels + budget.held(of: activations)
  }

  /// Bytes of the pictures and of the activations of a request, and the budget that it is made in.
  private func workingSet(
    of request: GenerationRequest, in room: Int?
  ) -> (pixels: Int, activations: Int, budget: MemoryBudget) {
    let (width, height) = (request.width ?? model.nativeSize, request.height ?? model.nativeSize)
    let pixels = request.count * width * height * 3
    let batch = request.isGuided(model) ? 2 * request.count : request.count
    let activations = model.activationBytes(width: width, height: height, batch: batch)
    guard budget == .unlimited, let room else { return (pixels, activations, budget) }
    let own = model.budget(width: width, height: height, batch: batch, room: room - pixels)
    return (pixels, activations, own)
  }

  private func check(_ request: GenerationRequest) throws {
    try request.start?.check()
    let layers = model.textEncoder.config.numHiddenLayers
    guard (1...layers).contains(request.clipSkip) else {
      throw InversionError(.invalidArgument, "'clip_skip' is \(request.clipSkip); choose 1 to \(layers)")
    }
    guard request.guidanceScale.isFinite, (0...100).contains(request.guidanceScale) else {
      throw InversionError(.invalidArgument, "'guidance_scale' is \(request.guidanceScale); choose 0 to 100")
    }
    if let gate = request.gateStep, gate < 1 {
      throw InversionError(.invalidArgument, "'tgate' is \(gate); choose a step, from 1")
    }
    if let caching = request.deepCaching {
      let depths = model.unet.deepFeatureDepths
      guard caching.interval >= 2 else {
        throw InversionError(.invalidArgument, "'deepcache' is \(caching.interval); choose 2 or more")
      }
      guard depths.contains(caching.depth) else {
        throw InversionError(
          .invalidArgument,
          "'deepcache_depth' is \(caching.depth); '\(model.name)' has \(depths.lowerBound) to \(depths.upperBound)")
      }
    }
    guard (1...PictureSize.largestCount).contains(request.count) else {
      throw InversionError(.invalidArgument, "'count' is \(request.count); choose 1 to \(PictureSize.largestCount)")
    }
  }
}

/// The checked size of a request's pictures.
struct PictureSize {
  static let largestSide = 2048
  static let largestCount = 16

  let width: Int
  let height: Int

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  init(_ request: GenerationRequest, _ model: DiffusionModel) throws {
    width = request.width ?? model.nativeSize
    height = request.height ?? model.nativeSize
    let multiple = model.sizeMultiple
    for (name, side) in [("width", width), ("height", height)] {
      guard side >= multiple, side <= Self.largestSide, side % multiple == 0 else {
        throw InversionError(
          .invalidArgument,
          "'\(name)' is \(side); '\(model.name)' makes multiples of \(multiple) up to \(Self.largestSide)")
      }
    }
  }
}
