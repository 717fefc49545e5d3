import Formats
import Foundation
import Models
import Ops
import Testing

@testable import Training

/// A training that diffusers' twin recorded: see Tools/golden/README.md.
struct GoldenTraining {
  struct Case: Decodable {
    let model: String
    let method: String
    let learningRate: Double
    let vectors: Int
    let accumulate: Int
    let initializer: String

    private enum CodingKeys: String, CodingKey {
      case model, method, vectors, accumulate, initializer
      case learningRate = "learning_rate"
    }
  }

  let settings: Case
  /// One a step.
  let losses: [Double]
  /// Before the first step and after each: (n, width).
  let rows: [[Double]]
  /// Those of one step stand together.
  let batches: [[TrainingBatch]]

  init(_ name: String) throws {
    let path = try #require(Bundle.module.resourcePath) + "/Golden/\(name).safetensors"
    let file = try SafetensorsFile(path: path)
    let json = try #require(file.metadata["case"])
    settings = try JSONDecoder().decode(Case.self, from: Data(json.utf8))
    let losses: [Float] = try file.elements("losses")
    let rows: [Float] = try file.elements("rows")
    self.losses = losses.map(Double.init)
    self.rows = rows.map(Double.init).split(into: losses.count + 1)
    let drawn = try Self.batches(file)
    batches = drawn.split(into: losses.count)
  }

  private static func batches(_ file: SafetensorsFile) throws -> [TrainingBatch] {
    let shape = try file.entry("latents").shape  // (batches, B, C, H, W)
    func pictures(_ name: String) throws -> [[Float]] {
      let planes: [Float] = try file.elements(name)
      return planes.split(into: shape[0]).map { rowsFromPlanes($0, shape[1], shape[2], shape[3], shape[4]) }
    }
    let (latents, noise) = (try pictures("latents"), try pictures("noise"))
    let times: [Int64] = try file.elements("timesteps")
    let ids: [Int64] = try file.elements("input_ids")
    let timesteps = times.map(Int.init).split(into: shape[0])
    let captions = ids.map(Int.init).split(into: shape[0])
    return latents.indices.map { index in
      TrainingBatch(
        shape: [shape[3], shape[4], shape[2]], latents: latents[index], noise: noise[index],
        timesteps: timesteps[index], ids: captions[index].split(into: shape[1]))
    }
  }

  /// One of the tiny models, which are the golden data of the networks' own tests.
  static func model(_ name: String, parts: AutoencoderKL.Parts = .encoder) throws -> DiffusionModel {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try DiffusionModel(path: tests.path + "/ModelsTests/Golden/\(name)", parts: parts)
  }
}

extension SafetensorsFile {
  func elements<Element: BitwiseCopyable>(_ name: String) throws -> [Element] {
    let bytes = bytes(of: try entry(name))
    let size = MemoryLayout<Element>.size
    return (0..<bytes.count / size).map { bytes.loadUnaligned(fromByteOffset: $0 * size, as: Element.self) }
  }
}

extension Array {
  /// Equal parts, in order.
  func split(into parts: Int) -> [[Element]] {
    let size = count / parts
    return (0..<parts).map { Array(self[$0 * size..<($0 + 1) * size]) }
  }
}
