import Embeddings
import Errors
import Foundation
import Models
import Ops
import Testing

@testable import Generation

/// Work that steps share: what is left out must be what was meant, and nothing when it is not asked for.
@Suite struct StepReuseTests {
  private let pipeline: Pipeline

  init() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    pipeline = try Pipeline(folder: root.path + "/ModelsTests/Golden/sd1-tiny")
  }

  private func latents(_ change: (inout GenerationRequest) -> Void) throws -> [Float] {
    var request = GenerationRequest(prompt: "a fox")
    request.steps = 6
    change(&request)
    let synthesis = try pipeline.begin(request, embeddings: EmbeddingTable())
    #expect(Array(synthesis) == Array(1...request.steps))
    return synthesis.latentPlanes
  }

  private func relativeDifference(_ a: [Float], _ b: [Float]) -> Double {
    let difference = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
    return (difference / b.reduce(0.0) { $0 + pow(Double($1), 2) }).squareRoot()
  }

  @Test(arguments: [SamplerName.euler, .heun, .dpmppSDE])
  func closeAndNotEqual(sampler: SamplerName) throws {
    let exact = try latents { $0.sampler = sampler }
    for (name, change) in [
      ("T-GATE", { $0.gateStep = 3 }), ("DeepCache", { $0.deepCaching = DeepCaching(interval: 2) }),
      ("both", { ($0.gateStep, $0.deepCaching) = (3, DeepCaching(interval: 3, depth: 2)) }),
    ] as [(String, (inout GenerationRequest) -> Void)] {
      let shared = try latents {
        $0.sampler = sampler
        change(&$0)
      }
      let difference = relativeDifference(shared, exact)
      #expect(difference > 1e-5 && difference < 0.5, "\(name): \(difference)")
    }
  }

  @Test func aGateBehindTheLastStepChangesNothing() throws {
    #expect(try latents { $0.gateStep = 6 } == latents { _ in })
    #expect(try latents { $0.gateStep = 1 } != latents { _ in })
    #expect(try latents { ($0.gateStep, $0.guidanceScale) = (3, 1) } != latents { $0.guidanceScale = 1 })
  }

  /// For equal input, kept features give what the whole network gives.
  @Test func keptFeaturesAreTheDeepLayers() throws {
    let model = pipeline.model
    let tape = Tape(recording: false)
    let context = ConstantContext(model.textEncoder([try model.framed([5, 6])], on: tape))
    let input = tape.constant([1, 8, 8, 4], (0..<256).map { sinf(Float($0)) })
    let whole = model.unet(input, timesteps: [400], context, on: tape).floats
    for depth in model.unet.deepFeatureDepths {
      let features = DeepFeatures(depth: depth)
      #expect(model.unet(input, timesteps: [400], context, features: features, on: tape).floats == whole)
      #expect(!features.isEmpty)
      #expect(model.unet(input, timesteps: [400], context, features: features, on: tape).floats == whole)
      let later = model.unet(input, timesteps: [380], context, features: features, on: tape).floats
      #expect(later != whole && later != model.unet(input, timesteps: [380], context, on: tape).floats)
    }
  }

  /// For equal input, a kept cross-attention is the one that was asked; of two halves, it is their mean.
  @Test func keptCrossAttentionIsTheMean() throws {
    let tape = Tape(recording: false)
    let base = ConstantContext(tape.constant([2, 1, 1], [0, 0]))
    let gated = GatedContext(base, halves: true, on: tape)
    let output = tape.constant([2, 1, 2], [1, 2, 3, 6])
    #expect(gated.output(layer: 0) { output } === output)
    gated.phase = .keep
    #expect(gated.output(layer: 0) { output } === output)
    gated.phase = .reuse
    let kept = gated.output(layer: 0) { preconditionFailure("asked again") }
    #expect(kept.floats == [2, 4] && kept.shape == [1, 1, 2])
  }

  @Test func refusesWhatTheModelDoesNotHave() {
    for (field, change) in [
      ("tgate", { $0.gateStep = 0 }), ("deepcache", { $0.deepCaching = DeepCaching(interval: 1) }),
      ("deepcache_depth", { $0.deepCaching = DeepCaching(interval: 2, depth: 3) }),
    ] as [(String, (inout GenerationRequest) -> Void)] {
      let error = #expect(throws: InversionError.self) { _ = try latents(change) }
      #expect(error?.code == .invalidArgument && error?.message.hasPrefix("'\(field)' is") == true)
    }
  }
}
