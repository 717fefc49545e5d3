import Embeddings
import Formats
import Foundation
import Images
import Models
import Testing

@testable import Generation

/// Pictures from pictures: ten guided steps of each sampler against diffusers' image-to-image and inpainting pipelines.
@Suite struct StartingPictureTests {
  static let models = ["sd1-tiny", "sd2-tiny", "distilled-tiny"]
  private static let strength = 0.65
  private static let steps = 10

  private static func folder(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
      + "/ModelsTests/Golden/\(name)"
  }

  /// The golden values of a model's starting picture.
  private struct Golden {
    private let file: SafetensorsFile

    init(_ name: String) throws {
      let resources = try #require(Bundle.module.resourcePath)
      file = try SafetensorsFile(path: "\(resources)/Golden/\(name)-starts.safetensors")
    }

    func shape(_ name: String) throws -> [Int] { try file.entry(name).shape }

    func floats(_ name: String) throws -> [Float] {
      let bytes = file.bytes(of: try file.entry(name))
      return (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }

    func bytes(_ name: String) throws -> [UInt8] { Array(file.bytes(of: try file.entry(name))) }

    func ids(_ name: String) throws -> [Int] {
      let bytes = file.bytes(of: try file.entry(name))
      return (0..<bytes.count / 8).map { Int(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) }
    }

    func start(masked: Bool) throws -> StartingPicture {
      let shape = try shape("pixels")
      var start = StartingPicture(
        Picture(width: shape[1], height: shape[0], pixels: try bytes("pixels")), strength: strength)
      if masked {
        let grey = try bytes("mask").flatMap { [$0, $0, $0] }
        start.mask = Picture(width: shape[1], height: shape[0], pixels: grey)
      }
      return start
    }
  }

  @Test(arguments: models, [SamplerName.ddim, .euler, .dpmpp2M])
  func matchesDiffusers(name: String, sampler: SamplerName) throws {
    let golden = try Golden(name)
    let model = try DiffusionModel(path: Self.folder(name), parts: [.encoder, .decoder])
    let encoding = PromptEncoding(
      positive: try golden.ids("input_ids"), negative: try golden.ids("negative_input_ids"))
    for (kind, masked) in [("img2img", false), ("inpaint", true)] {
      var request = GenerationRequest(prompt: "")
      request.sampler = sampler
      request.guidanceScale = 5
      request.steps = Self.steps
      request.start = try golden.start(masked: masked)
      (request.width, request.height) = (request.start?.picture.width, request.start?.picture.height)
      let synthesis = try PictureSynthesis(
        request, encoding, model, PictureSize(request, model), encoder: model.autoencoder,
        noise: try golden.floats("noise"))
      let expected = try golden.floats("\(sampler.rawValue).\(kind)")
      let each = expected.count / 6
      #expect(synthesis.steps == 6)
      for step in synthesis {
        let wanted = Array(expected[(step - 1) * each..<step * each])
        let difference = zip(synthesis.latentPlanes, wanted).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
        let size = wanted.reduce(0.0) { $0 + pow(Double($1), 2) }
        let error = (difference / size).squareRoot()
        #expect(error <= 1e-3, "\(kind), step \(step) of \(sampler): relative error \(error)")
      }
    }
  }

  /// Through the pipeline, as the daemon does it.
  @Test func whatTheMaskCoversStaysByteForByte() throws {
    let golden = try Golden("sd1-tiny")
    let pipeline = try Pipeline(folder: Self.folder("sd1-tiny"))
    var request = GenerationRequest(prompt: "a fox")
    request.steps = 4
    request.start = try golden.start(masked: true)
    let start = try #require(request.start)
    (request.width, request.height) = (start.picture.width, start.picture.height)
    let synthesis = try pipeline.begin(request, embeddings: EmbeddingTable())
    #expect(Array(synthesis) == [1, 2])
    let made = try synthesis.decode()[0]
    let mask = try golden.bytes("mask")
    for pixel in mask.indices where mask[pixel] == 0 {
      #expect(made.pixels[3 * pixel..<3 * pixel + 3] == start.picture.pixels[3 * pixel..<3 * pixel + 3])
    }
    let changed = mask.indices.filter { mask[$0] == 255 && made.pixels[3 * $0] != start.picture.pixels[3 * $0] }
    #expect(changed.count > mask.count / 8)
  }

  @Test func otherProportionsAreCroppedOrStretched() throws {
    let size = PictureSize(width: 4, height: 4)
    // Three columns of colour: the crop keeps the middle one.
    let pixels = (0..<4).flatMap { _ in (0..<12).flatMap { x in [UInt8](repeating: UInt8(x / 4 * 100), count: 3) } }
    var start = StartingPicture(Picture(width: 12, height: 4, pixels: pixels))
    #expect(start.fitted(size).picture.pixels.allSatisfy { $0 == 100 })
    start.fit = .stretch
    #expect(Set(start.fitted(size).picture.pixels).count > 2)
  }

  @Test func aBlurredMaskFallsOffAroundItsEdge() throws {
    let pixels = (0..<32).flatMap { _ in (0..<32).flatMap { x in [UInt8](repeating: x < 16 ? 0 : 255, count: 3) } }
    let mask = Mask(Picture(width: 32, height: 32, pixels: pixels))
    #expect(mask.blurred(0).values == mask.values)
    let row = Array(mask.blurred(3).values[16 * 32..<17 * 32])
    #expect(row == row.sorted() && row[0] == 0 && row[31] == 255)
    // Half of the edge, and a Gaussian's share one deviation from it.
    #expect(abs(Int(row[15]) + Int(row[16]) - 255) <= 2 && abs(Int(row[18]) - 205) < 10, "\(row)")
  }

  @Test(arguments: [(20, 0.75, 5), (20, 1.0, 0), (20, 0.0, 19), (3, 0.1, 2), (1, 0.5, 0)])
  func strengthSaysWhereItBegins(steps: Int, strength: Double, first: Int) {
    let black = Picture(width: 1, height: 1, pixels: [0, 0, 0])
    #expect(StartingPicture(black, strength: strength).firstStep(of: steps) == first)
  }
}
