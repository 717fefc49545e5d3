import Errors
import Generation
import Images
import Wire

/// A generate request, checked: what the engine shall make, and as which file.
public struct Order: Sendable, Equatable {
  public let request: GenerationRequest
  /// The name of a model; nil is the daemon's own choice.
  public let model: String?
  public let format: PictureFormat
  /// 1 to 100; nil is lossless where the format can be.
  public let quality: Int?

  /// Bounds of the fields. The engine may have narrower ones.
  enum Limit {
    static let promptBytes = 16 << 10
    static let steps = 1...1000
    static let cacheInterval = 2...1000
    static let cacheDepth = 1...8
    static let guidanceScale = 0.0...100.0
    static let subseedStrength = 0.0...1.0
    static let side = 8...2048
    static let count = 1...16
    static let clipSkip = 1...12
    static let quality = 1...100
  }

  /// Fills the defaults in and checks every field.
  /// - Parameter start: what takes the place of the request's own starting picture.
  /// - Throws: `.invalidArgument` naming the field; `.badPicture`.
  public init(_ wire: GenerateRequest, start: StartingPicture? = nil) throws(InversionError) {
    var request = GenerationRequest(prompt: try Self.text(wire.prompt, "prompt"))
    request.negativePrompt = try Self.text(wire.negativePrompt ?? "", "negative_prompt")
    if let syntax = wire.promptSyntax { request.promptSyntax = try Self.choice(syntax, "prompt_syntax") }
    if let scale = wire.guidanceScale {
      request.guidanceScale = Float(try Self.within(Limit.guidanceScale, scale, "guidance_scale"))
    }
    request.width = try wire.width.map { side throws(InversionError) in try Self.side(side, "width") }
    request.height = try wire.height.map { side throws(InversionError) in try Self.side(side, "height") }
    if let count = wire.count { request.count = try Self.within(Limit.count, count, "count") }
    if let skip = wire.clipSkip { request.clipSkip = try Self.within(Limit.clipSkip, skip, "clip_skip") }
    request.strict = wire.strict ?? false
    try Self.readSampling(wire, into: &request)
    try Self.readNoise(wire, into: &request)
    request.start = if let start { start } else { try StartingPicture(wire) }
    self.request = request
    self.model = wire.model
    self.format = try wire.format.map { name throws(InversionError) in try Self.choice(name, "format") } ?? .png
    self.quality = try wire.quality.map { quality throws(InversionError) in
      try Self.within(Limit.quality, quality, "quality")
    }
    if quality != nil && format == .png {
      throw InversionError(.invalidArgument, "'quality': PNG is always lossless; ask for webp or jpeg, or leave it out")
    }
  }

  private static func readSampling(
    _ wire: GenerateRequest, into request: inout GenerationRequest
  ) throws(InversionError) {
    if let steps = wire.steps { request.steps = try within(Limit.steps, steps, "steps") }
    let method = try SamplingMethod(sampler: wire.sampler, scheduler: wire.scheduler)
    (request.sampler, request.scheduler) = (method.sampler, method.scheduler)
    request.gateStep = try wire.tgate.map { step throws(InversionError) in try within(Limit.steps, step, "tgate") }
    if let interval = wire.deepcache {
      request.deepCaching = DeepCaching(
        interval: try within(Limit.cacheInterval, interval, "deepcache"),
        depth: try within(Limit.cacheDepth, wire.deepcacheDepth ?? 1, "deepcache_depth"))
    }
  }

  private static func readNoise(
    _ wire: GenerateRequest, into request: inout GenerationRequest
  ) throws(InversionError) {
    request.seed = wire.seed ?? randomSeed()
    if let rng = wire.rng { request.rng = try choice(rng, "rng") }
    if let strength = wire.subseedStrength {
      let strength = try within(Limit.subseedStrength, strength, "subseed_strength")
      if strength > 0 {
        request.variation = Variation(seed: wire.subseed ?? randomSeed(), strength: Float(strength))
      }
    }
    for (field, seed) in [("seed", request.seed), ("subseed", request.variation?.seed ?? 0)] {
      guard seed <= UInt64.max - UInt64(request.count) else {
        throw InversionError(.invalidArgument, "'\(field)': \(seed) leaves no room for \(request.count) pictures")
      }
    }
  }

  /// 32 bits, so that every JSON reader gives the seed back unchanged.
  private static func randomSeed() -> UInt64 { UInt64(UInt32.random(in: .min ... .max)) }

  private static func text(_ text: String, _ field: String) throws(InversionError) -> String {
    guard text.utf8.count <= Limit.promptBytes else {
      throw InversionError(
        .invalidArgument, "'\(field)': \(text.utf8.count) bytes, at most \(Limit.promptBytes); shorten it")
    }
    return text
  }

  private static func within<T: Comparable>(
    _ range: ClosedRange<T>, _ value: T, _ field: String
  ) throws(InversionError) -> T {
    guard range.contains(value) else {
      throw InversionError(
        .invalidArgument, "'\(field)': \(value) is not between \(range.lowerBound) and \(range.upperBound)")
    }
    return value
  }

  private static func side(_ side: Int, _ field: String) throws(InversionError) -> Int {
    let side = try within(Limit.side, side, field)
    // The autoencoder of Stable Diffusion shrinks a side eightfold.
    guard side % 8 == 0 else {
      throw InversionError(.invalidArgument, "'\(field)': \(side) is not a multiple of 8")
    }
    return side
  }

  private static func choice<T: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ field: String
  ) throws(InversionError) -> T {
    if let value = T(rawValue: name) { return value }
    let choices = T.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
    throw InversionError(.invalidArgument, "'\(field)': '\(name)' is none of \(choices)")
  }
}
