import Errors
import Formats
import Foundation
import Kernels
import Ops
import Tensors
import Testing

@testable import Import
@testable import Models

/// A package computes what the source computes under the same plan.
@Suite struct RoundTripTests {
  /// All that a model computes from one prompt and one latent: hidden states, prediction, pixels, moments.
  private func outputs(_ path: String, plan: ModelPlan) throws -> [[Float]] {
    let model = try DiffusionModel(path: path, parts: [.encoder, .decoder], plan: plan)
    let tape = Tape(recording: false)
    let states = model.textEncoder([try model.framed(model.tokenizer.encode("a cat on a mat").map(Int.init))], on: tape)
    let side = model.unet.config.sampleSize ?? 8
    let channels = model.unet.config.inChannels
    let latents = tape.constant(
      [1, side, side, channels], (0..<side * side * channels).map { sin(Float($0) * 0.37) * 1.3 })
    let prediction = model.unet(latents, timesteps: [601], ConstantContext(states), on: tape)
    let pixels = model.autoencoder.decode(latents, on: tape)
    return [states, prediction, pixels, model.autoencoder.encode(pixels, on: tape)].map(\.floats)
  }

  /// The source stores f16, so that every layer of the package has the source's very numbers.
  @Test func equalsAnF16SourceBitForBit() throws {
    let library = Library()
    let package = try library.add(tinyModel("distilled-tiny"), as: "tiny")
    var plan = ModelPlan.int8
    // Which is bf16 in the source.
    plan[.vae] = .full
    let other = try library.add(tinyModel("distilled-tiny"), as: "wide", plan: plan)
    let expected = try outputs(tinyModel("distilled-tiny"), plan: plan)
    #expect(try outputs(other, plan: .full) == expected, "a package has its own plan")
    #expect(try outputs(package, plan: .full)[0...1] == expected[0...1])
    let unquantised = try outputs(tinyModel("distilled-tiny"), plan: .full)
    #expect(expected[1] != unquantised[1], "something is quantised")
  }

  @Test(arguments: ["sd1-tiny", "sd2-tiny", "distilled-tiny"])
  func comesCloseToEverySource(model: String) throws {
    let library = Library()
    let package = try library.add(tinyModel(model), as: model)
    let (packed, full) = (try outputs(package, plan: .full), try outputs(tinyModel(model), plan: .full))
    for (ours, theirs) in zip(packed, full) {
      let noise = zip(ours, theirs).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      // 17 dB: random tiny layers are the hard case, they average out little.
      #expect(noise / theirs.reduce(0) { $0 + $1 * $1 } < 0.02, "\(model)")
    }
  }

  @Test func theWeightsStayInTheirFile() throws {
    let library = Library()
    let path = try library.add(tinyModel("sd1-tiny"), as: "tiny")
    let file = try SafetensorsFile(path: "\(path)/unet.safetensors")
    for (name, entry) in file.tensors where !name.hasPrefix(SafetensorsWriter.fillerPrefix) {
      let large = entry.byteRange.count >= 1 << 16
      #expect(entry.byteRange.lowerBound % (large ? 4096 : 64) == 0, "\(name)")
    }
    let package = try ModelPackage(path: path)
    let layers = try package.layers(of: .unet, dtype: .f32, plan: .full)
    let layer = "down_blocks.0.resnets.0.conv1"
    guard case .int8(let mapped) = try layers.layer(layer, LayerShape(outputs: 8, inputs: 8, window: 3)) else {
      Issue.record("'\(layer)' is not int8")
      return
    }
    let source = try ModelCatalogue(openModel(path: tinyModel("sd1-tiny")))
    let packed = try #require(source.layers[.unet])
      .packedWeight(layer, LayerShape(outputs: 8, inputs: 8, window: 3))
    #expect(mapped.panels.elementsEqual(packed.panels) && mapped.columnScales.elementsEqual(packed.columnScales))
    #expect(UInt(bitPattern: mapped.panels.baseAddress) % 64 == 0)
  }

  @Test func theDescriptionTellsWhatItIs() throws {
    let library = Library()
    let path = try library.add(tinyModel("sd2-tiny"), as: "tiny")
    let description = try PackageDescription(folder: path)
    #expect(description.name == "tiny" && description.packing == "qc8w-32c4-u8")
    #expect(description.provenance.source == "sd2-tiny" && description.provenance.tool == "test 1")
    #expect(description.provenance.sha256.keys.sorted().contains("unet/diffusion_pytorch_model.safetensors"))
    #expect(description.precision["unet"]?["conv_in"] == .f16)
    #expect(description.precision["unet"]?["mid_block.resnets.0.conv1"] == .int8)
    #expect(Set(description.files.keys).isSuperset(of: ["unet.safetensors", "tokenizer/vocab.json"]))
    #expect(library.names == ["tiny"], "nothing else is left")
  }
}
