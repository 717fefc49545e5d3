import Errors
import Formats
import Foundation
import Testing

@testable import Models

/// A model folder that is not what it should be: one clear error that names file, and tensor or key.
@Suite struct BadModelTests {
  /// A copy of a tiny model that may be damaged.
  final class Copy {
    let path: String

    init(_ model: String = "sd1-tiny") throws {
      path = NSTemporaryDirectory() + "inversion-\(UUID().uuidString)"
      try FileManager.default.copyItem(atPath: Golden(model).folder.path, toPath: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func edit(_ file: String, _ change: (String) -> String) throws {
      let text = try String(contentsOfFile: "\(path)/\(file)", encoding: .utf8)
      let edited = change(text)
      try #require(edited != text)
      try edited.write(toFile: "\(path)/\(file)", atomically: true, encoding: .utf8)
    }

    func load() throws -> DiffusionModel { try DiffusionModel(path: path, parts: [.encoder, .decoder]) }
  }

  private func expectError(_ code: InversionError.Code, naming words: String..., by copy: Copy) {
    do {
      _ = try copy.load()
      Issue.record("it loaded")
    } catch let error as InversionError {
      #expect(error.code == code)
      for word in words { #expect(error.message.contains(word), "\(error.message)") }
    } catch {
      Issue.record("another error: \(error)")
    }
  }

  @Test func loadsUndamaged() throws {
    for model in Golden.models { _ = try Copy(model).load() }
  }

  @Test func missingFolder() {
    #expect(throws: InversionError.self) { try DiffusionModel(path: "/nonexistent/model", parts: .decoder) }
  }

  @Test func missingWeights() throws {
    let copy = try Copy()
    try FileManager.default.removeItem(atPath: copy.path + "/unet/diffusion_pytorch_model.safetensors")
    expectError(.fileUnavailable, naming: "unet", "diffusion_pytorch_model.safetensors", by: copy)
  }

  @Test(arguments: [0, 7, 1000, 200_000])
  func truncatedWeights(bytes: Int) throws {
    let copy = try Copy()
    let file = copy.path + "/unet/diffusion_pytorch_model.safetensors"
    try #require(FileManager.default.contents(atPath: file)).prefix(bytes).write(to: URL(fileURLWithPath: file))
    expectError(.badFile, naming: "diffusion_pytorch_model.safetensors", by: copy)
  }

  @Test func wrongShape() throws {
    let copy = try Copy()
    try copy.edit("unet/config.json") { $0.replacingOccurrences(of: "\"in_channels\": 4", with: "\"in_channels\": 5") }
    expectError(.badModel, naming: "conv_in.weight", "[8, 4, 3, 3]", "[8, 5, 3, 3]", by: copy)
  }

  @Test func missingTensor() throws {
    let copy = try Copy()
    try copy.edit("text_encoder/config.json") {
      $0.replacingOccurrences(of: "\"num_hidden_layers\": 3", with: "\"num_hidden_layers\": 4")
    }
    expectError(.badModel, naming: "encoder.layers.3", by: copy)
  }

  @Test func unknownBlock() throws {
    let copy = try Copy()
    try copy.edit("unet/config.json") {
      $0.replacingOccurrences(of: "\"CrossAttnDownBlock2D\"", with: "\"AttnDownBlock2D\"")
    }
    expectError(.badModel, naming: "unet/config.json", "downBlockTypes", by: copy)
  }

  @Test(arguments: [("\"act_fn\": \"silu\"", "\"act_fn\": \"mish\"", "actFn"), ("{", "[", "JSON")])
  func unsupportedOrBroken(old: String, new: String, word: String) throws {
    let copy = try Copy()
    try copy.edit("unet/config.json") { $0.replacingOccurrences(of: old, with: new) }
    expectError(.badModel, naming: "unet/config.json", word, by: copy)
  }

  @Test func partsOfTwoModels() throws {
    let copy = try Copy()
    let other = try Copy("distilled-tiny")
    for part in ["text_encoder", "tokenizer"] {
      try FileManager.default.removeItem(atPath: "\(copy.path)/\(part)")
      try FileManager.default.copyItem(atPath: "\(other.path)/\(part)", toPath: "\(copy.path)/\(part)")
    }
    try copy.edit("unet/config.json") {
      $0.replacingOccurrences(of: "\"cross_attention_dim\": 16", with: "\"cross_attention_dim\": 24")
    }
    expectError(.badModel, naming: "attn2.to_k.weight", by: copy)
  }
}
