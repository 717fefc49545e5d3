import Embeddings
import Foundation
import Generation

/// Ways to share the U-Net's work between steps, against none of them: time, latents and pictures at equal seeds.
struct ReuseReport: Encodable {
  struct Row: Encodable {
    let setting: String
    /// Of denoising, all prompts together.
    let seconds: Double
    /// Of the final latents against the exact ones, all prompts together, in dB; absent for those.
    let latents: Double?
    let picture: Double?
    let worstPicture: Double?
  }

  let model: String
  let prompts: Int
  let steps: Int
  let guidance: Float
  let sampler: String
  let rows: [Row]

  private static let settings: [(name: String, change: @Sendable (inout GenerationRequest) -> Void)] = [
    ("exact", { _ in }), ("--tgate 10", { $0.gateStep = 10 }), ("--tgate 5", { $0.gateStep = 5 }),
    ("--deepcache 2", { $0.deepCaching = DeepCaching(interval: 2) }),
    ("--deepcache 3", { $0.deepCaching = DeepCaching(interval: 3) }),
    ("--deepcache 5", { $0.deepCaching = DeepCaching(interval: 5) }),
    ("--tgate 10 --deepcache 2", { ($0.gateStep, $0.deepCaching) = (10, DeepCaching(interval: 2)) }),
  ]

  private struct Sum {
    var seconds = 0.0
    var (signal, noise, pixelNoise, pixels) = (0.0, 0.0, 0.0, 0)
    var worst = Double.infinity
  }

  /// Prompt by prompt, every setting in turn, so that what else the machine does hits them alike.
  init(model: String, prompts: [String], steps: Int) throws {
    let pipeline = try Pipeline(folder: model)
    var request = GenerationRequest(prompt: "")
    request.steps = steps
    var sums = Self.settings.map { _ in Sum() }
    for (seed, prompt) in prompts.enumerated() {
      (request.prompt, request.seed) = (prompt, UInt64(seed))
      var exact = Made(latents: [], pixels: [], seconds: 0)
      for (index, setting) in Self.settings.enumerated() {
        var changed = request
        setting.change(&changed)
        let made = try Made(changed, pipeline)
        if index == 0 { exact = made }
        let noise = squares(zip(made.latents, exact.latents).lazy.map { $0 - $1 })
        let pixelNoise = squares(zip(made.pixels, exact.pixels).lazy.map { $0 - $1 })
        sums[index].seconds += made.seconds
        sums[index].signal += squares(exact.latents)
        sums[index].noise += noise
        sums[index].pixelNoise += pixelNoise
        sums[index].pixels += made.pixels.count
        sums[index].worst = min(sums[index].worst, decibels(255 * 255 * Double(made.pixels.count), pixelNoise))
      }
    }
    (self.model, self.prompts, self.steps) = (pipeline.modelName, prompts.count, steps)
    (guidance, sampler) = (request.guidanceScale, request.sampler.rawValue)
    rows = zip(Self.settings, sums).enumerated().map { index, pair in
      let (setting, sum) = pair
      guard index > 0 else {
        return Row(setting: setting.name, seconds: sum.seconds, latents: nil, picture: nil, worstPicture: nil)
      }
      return Row(
        setting: setting.name, seconds: sum.seconds, latents: decibels(sum.signal, sum.noise),
        picture: decibels(255 * 255 * Double(sum.pixels), sum.pixelNoise), worstPicture: sum.worst)
    }
  }
}

/// A picture, and what it took to denoise it.
struct Made {
  let latents: [Double]
  let pixels: [Double]
  let seconds: Double

  init(latents: [Double], pixels: [Double], seconds: Double) {
    (self.latents, self.pixels, self.seconds) = (latents, pixels, seconds)
  }

  init(_ request: GenerationRequest, _ pipeline: Pipeline) throws {
    let synthesis = try pipeline.begin(request, embeddings: EmbeddingTable())
    let start = ContinuousClock.now
    while synthesis.next() != nil {}
    seconds = (ContinuousClock.now - start) / .seconds(1)
    latents = synthesis.latentPlanes.map(Double.init)
    pixels = try synthesis.decode()[0].pixels.map(Double.init)
  }
}
