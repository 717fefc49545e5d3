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
  private func decibels(_ actual: [Float], _ expected: [Float]) -> Double {
    var ratio = SignalToNoise()
    ratio.add(actual, expected: expected)
    return ratio.decibels ?? 0
  }

  /// What each network computes from an input of its own: hidden states, prediction, pixels, moments.
  private func outputs(
    _ path: String, plan: ModelPlan, on tape: Tape = Tape(recording: false)
  ) throws -> [[Float]] {
    let model = try DiffusionModel(path: path, parts: [.encoder, .decoder], plan: plan)
    let states = model.textEncoder([try model.framed(model.tokenizer.encode("a cat on a mat").map(Int.init))], on: tape)
    let side = model.unet.config.sampleSize ?? 8
    let channels = model.unet.config.inChannels
    let latents = tape.constant(
      [1, side, side, channels], (0..<side * side * channels).map { sin(Float($0) * 0.37) * 1.3 })
    let context = tape.constant([1, 5, states.channels], (0..<5 * states.channels).map { cos(Float($0) * 0.7) })
    let prediction = model.unet(latents, timesteps: [601], ConstantContext(context), on: tape)
    let pixels = model.autoencoder.decode(latents, on: tape)
    let picture = tape.constant([1, 16, 16, 3], (0..<768).map { sin(Float($0) * 0.11) })
    return [states, prediction, pixels, model.autoencoder.encode(picture, on: tape)].map(\.floats)
  }

  @Test(arguments: ["sd1-tiny", "sd2-tiny"])
  func equalsTheSourceUnderItsPlanBitForBit(model: String) throws {
    let library = Library()
    let package = try library.add(tinyModel(model), as: model)
    // The plan that is asked for when the package is opened does not matter: it has its own.
    let packed = try outputs(package, plan: .full)
    let expected = try outputs(tinyModel(model), plan: .int8)
    // A package keeps the token table in f16, so that other activations are rounded up or down.
    #expect(decibels(packed[0], expected[0]) > 30)
    #expect(packed[1...] == expected[1...])
    let unquantised = try outputs(tinyModel(model), plan: .full)
    for (ours, theirs) in zip(packed, unquantised) { #expect(ours != theirs, "something is quantised") }
  }

  /// Its token table is f16 in the source too.
  @Test func equalsAnF16SourceBitForBit() throws {
    let library = Library()
    let package = try library.add(tinyModel("distilled-tiny"), as: "tiny")
    #expect(try outputs(package, plan: .full) == outputs(tinyModel("distilled-tiny"), plan: .int8))
  }

  @Test(arguments: ["sd1-tiny", "sd2-tiny", "distilled-tiny"])
  func comesCloseToEverySource(model: String) throws {
    let library = Library()
    let package = try library.add(tinyModel(model), as: model)
    let (packed, full) = (try outputs(package, plan: .full), try outputs(tinyModel(model), plan: .full))
    // Random tiny layers are the hard case, they average out little.
    for (ours, theirs) in zip(packed, full) { #expect(decibels(ours, theirs) > 17, "\(model)") }
  }

  /// Streamed weights and spilled activations are the same numbers.
  @Test func memoryIsNoPartOfTheResult() throws {
    let library = Library()
    let package = try library.add(tinyModel("sd1-tiny"), as: "tiny")
    let expected = try outputs(package, plan: .full)
    let streaming = WorkingMemory(MemoryBudget(bytes: 64 << 20)).makeTape()
    #expect(streaming.weightStream != nil && WorkingMemory().makeTape().weightStream == nil)
    #expect(try outputs(package, plan: .full, on: streaming) == expected)
    let spilling = Tape(recording: false, pool: BufferPool(spill: BufferPool.Spill(smallest: 256)))
    spilling.weightStream = WeightStream(aheadBytes: 1 << 16)
    for _ in 0..<2 { #expect(try outputs(package, plan: .full, on: spilling) == expected) }
    #expect(spilling.pool.usage.live == 0)
  }

  @Test func releasedPagesComeBack() throws {
    let library = Library()
    let model = try DiffusionModel(path: library.add(tinyModel("sd1-tiny"), as: "tiny"), parts: .decoder)
    func prediction() throws -> [Float] {
      let tape = Tape(recording: false)
      let states = model.textEncoder([try model.framed([1])], on: tape)
      let side = model.unet.config.sampleSize ?? 8
      let latents = tape.constant([1, side, side, 4], (0..<side * side * 4).map { cos(Float($0)) })
      return model.unet(latents, timesteps: [3], ConstantContext(states), on: tape).floats
    }
    let before = try prediction()
    for network in Network.allCases { model.releasePages(of: network) }
    #expect(try prediction() == before)
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
