import Schedules

/// One order for pictures. Defaults are what users of Stable Diffusion expect.
public struct GenerationRequest: Sendable, Equatable {
  public var prompt: String
  public var negativePrompt = ""
  public var promptSyntax = PromptSyntax.a1111
  public var steps = 20
  /// Classifier-free guidance (CFG); 1 or less switches it off.
  public var guidanceScale: Float = 7.5
  /// Picture `i` of `count` is drawn from `seed + i`; with a variation, all from `seed`.
  public var seed: UInt64 = 0
  /// Mixes other noise into the first.
  public var variation: Variation?
  public var rng = NoiseGenerator.Name.philox
  /// Pixels; nil is the model's own size.
  public var width: Int?
  public var height: Int?
  public var sampler: SamplerName = .ddim
  /// How the noise levels are spread; nil does what the model's config says.
  public var scheduler: SigmaSpacing?
  /// T-GATE: behind this step (from 1), cross-attention gives what it gave there, and guidance is dropped.
  public var gateStep: Int?
  public var deepCaching: DeepCaching?
  public var count = 1
  /// 1 takes the text encoder's last layer, 2 the one before it.
  public var clipSkip = 1
  /// A picture to start from; nil starts from noise alone.
  public var start: StartingPicture?
  /// Refuse a prompt that names an embedding that is not in force.
  public var strict = false

  public init(prompt: String) { self.prompt = prompt }

  /// What picture `picture` (from 0) is drawn from.
  public func seed(ofPicture picture: Int) -> UInt64 { variation == nil ? seed &+ UInt64(picture) : seed }
}

/// Other noise beside the seed's, for pictures that resemble each other.
public struct Variation: Sendable, Equatable {
  /// Picture `i` of a request mixes in the noise of `seed + i`.
  public var seed: UInt64
  /// 0 is the picture of the request's own seed, 1 that of the variation's.
  public var strength: Float

  public init(seed: UInt64, strength: Float) {
    self.seed = seed
    self.strength = strength
  }
}

/// An embedding that a prompt called, as it was used.
public struct UsedEmbedding: Sendable, Equatable {
  public let name: String
  public let sha256: String
  public let generation: Int
  public let vectors: Int
  /// What a user should know of it, such as a word of the vocabulary that it hides.
  public let notes: [String]

  public init(name: String, sha256: String, generation: Int, vectors: Int, notes: [String] = []) {
    self.name = name
    self.sha256 = sha256
    self.generation = generation
    self.vectors = vectors
    self.notes = notes
  }
}

/// A name in the prompt that looks like an embedding (`<name>`, `embedding:name`) and was not used, with the reason.
public struct UnusedEmbedding: Sendable, Equatable {
  public let name: String
  public let reason: String

  public init(name: String, reason: String) {
    self.name = name
    self.reason = reason
  }
}
