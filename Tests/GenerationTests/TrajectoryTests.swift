import Embeddings
import Formats
import Foundation
import Models
import Testing

@testable import Generation

/// Twenty guided steps of each sampler against diffusers' pipelines, relative 1e-3.
@Suite struct TrajectoryTests {
  static let models = ["sd1-tiny", "sd2-tiny", "distilled-tiny"]

  private static func model(_ name: String) throws -> DiffusionModel {
    // The tiny models are the golden data of the networks' own tests.
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try DiffusionModel(path: root.path + "/ModelsTests/Golden/\(name)", parts: .decoder)
  }

  @Test(arguments: models, [SamplerName.ddim, .euler, .dpmpp2M])
  func matchesDiffusers(name: String, sampler: SamplerName) throws {
    let model = try Self.model(name)
    let resources = try #require(Bundle.module.resourcePath)
    let golden = try SafetensorsFile(path: "\(resources)/Golden/\(name).safetensors")
    func floats(_ name: String) throws -> [Float] {
      let bytes = golden.bytes(of: try golden.entry(name))
      return (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
    func ids(_ name: String) throws -> [Int] {
      let bytes = golden.bytes(of: try golden.entry(name))
      return (0..<bytes.count / 8).map { Int(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) }
    }
    var request = GenerationRequest(prompt: "")
    request.sampler = sampler
    request.guidanceScale = 5
    let shape = try golden.entry("noise").shape
    request.height = shape[2] * model.autoencoder.downsampling
    request.width = shape[3] * model.autoencoder.downsampling
    let encoding = PromptEncoding(
      positive: try ids("input_ids"), negative: try ids("negative_input_ids"))
    let synthesis = try PictureSynthesis(
      request, encoding, model, PictureSize(request, model), noise: try floats("noise"))
    let expected = try floats("\(sampler.rawValue).latents")
    let each = expected.count / 20
    for step in synthesis {
      let wanted = Array(expected[(step - 1) * each..<step * each])
      let difference = zip(synthesis.latentPlanes, wanted).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
      let size = wanted.reduce(0.0) { $0 + pow(Double($1), 2) }
      let error = (difference / size).squareRoot()
      #expect(error <= 1e-3, "step \(step) of \(sampler): relative error \(error)")
    }
  }
}
