import FoundationEssentials

/// Body of `POST /v1/generate`. Every field but the prompt may be left out; unknown fields are accepted.
public struct GenerateRequest: Codable, Sendable, Equatable {
  public var prompt: String
  /// The name of a model; absent is the daemon's own choice.
  public var model: String?
  public var negativePrompt: String?
  /// `a1111` or `plain`.
  public var promptSyntax: String?
  public var steps: Int?
  /// Classifier-free guidance (CFG); 1 or less switches it off.
  public var guidanceScale: Double?
  /// Picture `i` is drawn from `seed + i`; absent is random, and reported.
  public var seed: UInt64?
  /// Of other noise to mix into the first; absent is random. Picture `i` is then drawn from `seed` and `subseed + i`.
  public var subseed: UInt64?
  /// How much of it, 0 to 1; absent or 0 is none.
  public var subseedStrength: Double?
  /// `philox` or `torch-cpu`.
  public var rng: String?
  /// Pixels; absent is the model's own size.
  public var width: Int?
  public var height: Int?
  /// As `ddim`, 'Euler a' or 'DPM++ 2M Karras'.
  public var sampler: String?
  /// `automatic`, `normal`, `karras` or `exponential`.
  public var scheduler: String?
  /// T-GATE: the step behind which cross-attention and guidance are left out; absent is none.
  public var tgate: Int?
  /// DeepCache: the whole U-Net runs at every n-th call only; absent is at every one.
  public var deepcache: Int?
  /// Layers of the first block that run at every call.
  public var deepcacheDepth: Int?
  /// Number of pictures.
  public var count: Int?
  /// 1 takes the text encoder's last layer, 2 the one before it.
  public var clipSkip: Int?
  /// A picture to start from, scaled and cropped to the size that is asked for.
  public var initImage: PictureFile?
  /// 0 to 1: how far the picture may be left.
  public var strength: Double?
  /// A picture: white where the first one may change, black where it stays.
  public var mask: PictureFile?
  /// Pixels over which the mask's edge is softened.
  public var maskBlur: Double?
  /// Refuse a prompt that names an embedding that is not in force.
  public var strict: Bool?
  /// `png`, `webp` or `jpeg`.
  public var format: String?
  /// 1 to 100; absent is lossless where the format can be.
  public var quality: Int?
  /// Answer with server-sent events, as `Accept: text/event-stream` does.
  public var stream: Bool?

  public init(prompt: String) { self.prompt = prompt }

  enum CodingKeys: String, CodingKey {
    case prompt, model
    case negativePrompt = "negative_prompt"
    case promptSyntax = "prompt_syntax"
    case steps
    case guidanceScale = "guidance_scale"
    case seed, subseed
    case subseedStrength = "subseed_strength"
    case rng, width, height, sampler, scheduler, tgate, deepcache
    case deepcacheDepth = "deepcache_depth"
    case count
    case clipSkip = "clip_skip"
    case initImage = "init_image"
    case strength, mask
    case maskBlur = "mask_blur"
    case strict, format, quality, stream
  }
}

extension GenerateRequest {
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    prompt = try fields.decode(String.self, forKey: .prompt)
    model = try fields.decodeIfPresent(String.self, forKey: .model)
    negativePrompt = try fields.decodeIfPresent(String.self, forKey: .negativePrompt)
    promptSyntax = try fields.decodeIfPresent(String.self, forKey: .promptSyntax)
    steps = try fields.number(.steps)
    guidanceScale = try fields.number(.guidanceScale)
    seed = try fields.number(.seed)
    subseed = try fields.number(.subseed)
    subseedStrength = try fields.number(.subseedStrength)
    rng = try fields.decodeIfPresent(String.self, forKey: .rng)
    width = try fields.number(.width)
    height = try fields.number(.height)
    sampler = try fields.decodeIfPresent(String.self, forKey: .sampler)
    scheduler = try fields.decodeIfPresent(String.self, forKey: .scheduler)
    tgate = try fields.number(.tgate)
    deepcache = try fields.number(.deepcache)
    deepcacheDepth = try fields.number(.deepcacheDepth)
    count = try fields.number(.count)
    clipSkip = try fields.number(.clipSkip)
    initImage = try fields.decodeIfPresent(PictureFile.self, forKey: .initImage)
    strength = try fields.number(.strength)
    mask = try fields.decodeIfPresent(PictureFile.self, forKey: .mask)
    maskBlur = try fields.number(.maskBlur)
    strict = try fields.decodeIfPresent(Bool.self, forKey: .strict)
    format = try fields.decodeIfPresent(String.self, forKey: .format)
    quality = try fields.number(.quality)
    stream = try fields.decodeIfPresent(Bool.self, forKey: .stream)
  }
}

extension KeyedDecodingContainer {
  /// A number, or an error that names the field: the library's own for '-1' or '2.5' does not.
  fileprivate func number<T: Decodable & Numeric>(_ key: Key) throws -> T? {
    do {
      return try decodeIfPresent(T.self, forKey: key)
    } catch let error as DecodingError {
      throw error
    } catch {
      throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "not a number of type \(T.self)")
    }
  }
}

/// Answer to `POST /v1/generate`, and data of the event `result`.
public struct GenerateReply: Codable, Sendable, Equatable {
  public let job: String
  public let model: String
  public let pictures: [PictureReply]
  /// Of the first picture.
  public let seed: UInt64
  public let embeddings: EmbeddingUse
  public let timings: Timings

  public init(
    job: String, model: String, pictures: [PictureReply], seed: UInt64, embeddings: EmbeddingUse, timings: Timings
  ) {
    self.job = job
    self.model = model
    self.pictures = pictures
    self.seed = seed
    self.embeddings = embeddings
    self.timings = timings
  }
}

/// A finished picture file.
public struct PictureReply: Codable, Sendable, Equatable {
  public let format: String
  public let width: Int
  public let height: Int
  public let seed: UInt64
  /// How it was made, in AUTOMATIC1111's words; the same text is in the file.
  public let infotext: String
  /// The file; base64 in JSON.
  public let data: Data

  public init(format: String, width: Int, height: Int, seed: UInt64, infotext: String, data: Data) {
    self.format = format
    self.width = width
    self.height = height
    self.seed = seed
    self.infotext = infotext
    self.data = data
  }
}

/// Which embeddings a prompt called.
public struct EmbeddingUse: Codable, Sendable, Equatable {
  public let used: [Used]
  public let unused: [Unused]

  public struct Used: Codable, Sendable, Equatable {
    public let name: String
    public let sha256: String
    /// The store generation at which these vectors came into force.
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

  /// A name that looks like an embedding and was not used.
  public struct Unused: Codable, Sendable, Equatable {
    public let name: String
    public let reason: String

    public init(name: String, reason: String) {
      self.name = name
      self.reason = reason
    }
  }

  public init(used: [Used], unused: [Unused]) {
    self.used = used
    self.unused = unused
  }
}

/// Wall-clock milliseconds of a job's parts.
public struct Timings: Codable, Sendable, Equatable {
  /// Waiting for other jobs.
  public var queued: Double
  /// Text encoder and first noise.
  public var prepare: Double
  public var denoise: Double
  /// VAE decoder and picture file.
  public var decode: Double

  public init(queued: Double, prepare: Double, denoise: Double, decode: Double) {
    self.queued = queued
    self.prepare = prepare
    self.denoise = denoise
    self.decode = decode
  }

  enum CodingKeys: String, CodingKey {
    case queued = "queued_ms"
    case prepare = "prepare_ms"
    case denoise = "denoise_ms"
    case decode = "decode_ms"
  }
}
