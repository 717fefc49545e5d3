import Daemon
import Errors
import Generation
import Testing
import Wire

@Suite struct OrderTests {
  private func order(_ change: (inout GenerateRequest) -> Void) throws(InversionError) -> Order {
    var request = GenerateRequest(prompt: "a cat")
    change(&request)
    return try Order(request)
  }

  @Test func defaults() throws {
    let order = try order { _ in }
    #expect(order.request.steps == GenerationRequest(prompt: "").steps)
    #expect(order.request.width == nil && order.request.height == nil && order.request.count == 1)
    #expect(order.format == .png && order.quality == nil && !order.request.strict)
  }

  @Test func allFieldsArrive() throws {
    let order = try order {
      $0.negativePrompt = "blurry"
      $0.promptSyntax = "plain"
      $0.steps = 7
      $0.guidanceScale = 3.5
      $0.seed = .max - 4
      $0.width = 64
      $0.height = 128
      $0.sampler = "DPM++ 2M"
      $0.scheduler = "Karras"
      $0.rng = "torch-cpu"
      ($0.tgate, $0.deepcache, $0.deepcacheDepth) = (10, 3, 2)
      $0.subseed = 3
      $0.subseedStrength = 0.25
      $0.count = 4
      $0.clipSkip = 2
      $0.strict = true
      $0.format = "webp"
      $0.quality = 80
    }
    var expected = GenerationRequest(prompt: "a cat")
    expected.negativePrompt = "blurry"
    expected.promptSyntax = .plain
    expected.steps = 7
    expected.guidanceScale = 3.5
    expected.seed = .max - 4
    expected.width = 64
    expected.height = 128
    expected.sampler = .dpmpp2M
    expected.scheduler = .karras
    expected.rng = .torchCPU
    (expected.gateStep, expected.deepCaching) = (10, DeepCaching(interval: 3, depth: 2))
    expected.variation = Variation(seed: 3, strength: 0.25)
    expected.count = 4
    expected.clipSkip = 2
    expected.strict = true
    #expect(order.request == expected && order.format == .webp && order.quality == 80)
  }

  @Test func absentSeedIsRandomAndSurvivesJSONNumbers() throws {
    let seeds = try (0..<8).map { _ in try order { _ in }.request.seed }
    #expect(Set(seeds).count > 1)
    #expect(seeds.allSatisfy { $0 < 1 << 53 })
  }

  @Test(arguments: [
    ("steps", "'steps': 0 is not between 1 and 1000"),
    ("guidance", "'guidance_scale': -1.0 is not between 0.0 and 100.0"),
    ("nan", "'guidance_scale': nan is not between 0.0 and 100.0"), ("width", "'width': 60 is not a multiple of 8"),
    ("height", "'height': 4096 is not between 8 and 2048"),
    ("scheduler", "'scheduler': 'ddim' has none but its own; leave 'karras' out"),
    ("syntax", "'prompt_syntax': 'x' is none of 'a1111', 'plain'"),
    ("tgate", "'tgate': 0 is not between 1 and 1000"), ("deepcache", "'deepcache': 1 is not between 2 and 1000"),
    ("rng", "'rng': 'dice' is none of 'philox', 'torch-cpu'"),
    ("subseed", "'subseed': 18446744073709551615 leaves no room for 1 pictures"),
    ("strength", "'subseed_strength': 1.5 is not between 0.0 and 1.0"),
    ("count", "'count': 17 is not between 1 and 16"),
    ("clip", "'clip_skip': 0 is not between 1 and 12"), ("format", "'format': 'gif' is none of 'png', 'webp', 'jpeg'"),
    ("quality", "'quality': 0 is not between 1 and 100"),
    ("png", "'quality': PNG is always lossless; ask for webp or jpeg, or leave it out"),
    ("seed", "'seed': 18446744073709551615 leaves no room for 1 pictures"),
    ("prompt", "'prompt': 20000 bytes, at most 16384; shorten it"),
  ]) func refusesByFieldName(field: String, message: String) {
    #expect(throws: InversionError(.invalidArgument, message)) {
      try order { request in
        switch field {
        case "steps": request.steps = 0
        case "guidance": request.guidanceScale = -1
        case "nan": request.guidanceScale = .nan
        case "width": request.width = 60
        case "height": request.height = 4096
        case "scheduler": request.scheduler = "karras"
        case "tgate": request.tgate = 0
        case "deepcache": request.deepcache = 1
        case "rng": request.rng = "dice"
        case "syntax": request.promptSyntax = "x"
        case "subseed": (request.subseed, request.subseedStrength) = (.max, 0.5)
        case "strength": request.subseedStrength = 1.5
        case "count": request.count = 17
        case "clip": request.clipSkip = 0
        case "format": request.format = "gif"
        case "quality": (request.format, request.quality) = ("webp", 0)
        case "png": request.quality = 50
        case "seed": request.seed = .max
        default: request.prompt = String(repeating: "x", count: 20000)
        }
      }
    }
  }

  @Test func unknownSamplerIsToldAllNames() {
    let error = #expect(throws: InversionError.self) { try order { $0.sampler = "hein" } }
    #expect(error?.message.hasPrefix("'sampler': unknown sampler 'hein'; choose one of 'ddim', ") == true)
    for name in SamplerName.allCases { #expect(error?.message.contains("'\(name.rawValue)'") == true) }
  }

  @Test func infotextIsA1111s() {
    var request = GenerationRequest(prompt: "a photo of <cat>")
    request.negativePrompt = "blurry"
    request.guidanceScale = 7
    request.clipSkip = 2
    request.sampler = .dpmpp2M
    request.seed = 5
    let used = [
      UsedEmbedding(name: "<cat>", sha256: String(repeating: "0123456789abcdef", count: 4), generation: 1, vectors: 2)
    ]
    let text = Infotext(request: request, picture: 0, width: 64, height: 32, model: "a, b", used: used).text
    #expect(
      text == """
        a photo of <cat>
        Negative prompt: blurry
        Steps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 5, Size: 64x32, Model: "a, b", Clip skip: 2, \
        TI hashes: "<cat>: 0123456789ab", Version: inversion \(Daemon.version)
        """)
    request.guidanceScale = 7.5
    request.negativePrompt = ""
    request.scheduler = .karras
    request.rng = .torchCPU
    (request.gateStep, request.deepCaching) = (10, DeepCaching(interval: 3))
    request.variation = Variation(seed: 8, strength: 0.5)
    let short = Infotext(request: request, picture: 0, width: 64, height: 32, model: "m", used: []).text
    #expect(short.contains("Sampler: DPM++ 2M, Schedule type: Karras, CFG scale"))
    #expect(
      short.contains(
        "Variation seed: 8, Variation seed strength: 0.5, T-GATE: 10, DeepCache: 3/1, RNG: CPU, Clip skip: 2, Version"))
    #expect(short.contains("\nSteps: 20, ") && short.contains("CFG scale: 7.5, ") && !short.contains("TI hashes"))
  }
}
