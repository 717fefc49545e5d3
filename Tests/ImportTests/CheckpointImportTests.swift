import Errors
import Formats
import Foundation
import Kernels
import Tensors
import Testing

@testable import Import
@testable import Models

/// Single files under the names of latent-diffusion: the package is that of the same weights in diffusers' folder.
@Suite struct CheckpointImportTests {
  private static let constants = SingleFileCheckpoint.Constants(
    normGroups: 4, unetHeads: 2, headWidth: 8, pixelsPerSide: 16)

  /// The weights of sd1-tiny in f32, by their names in a checkpoint.
  private static func tensors() throws -> [(name: String, shape: [Int], values: [Float])] {
    let parts: [(component: String, names: WeightNames)] = [
      ("unet", .checkpointUNet), ("vae", .checkpointAutoencoder(levels: 2)), ("text_encoder", .checkpointText),
    ]
    return try parts.flatMap { component, names in
      let weights = try DiffusersFolder(path: tinyModel("sd1-tiny")).weights(of: component)
      return try weights.names.sorted().map { name in
        let own = name.hasPrefix("text_model.") ? String(name.dropFirst(11)) : name
        let place = try #require(names.candidates(for: own).first)
        let entry = try weights.entry(name)
        let bytes = try weights.contents(of: entry).bytes
        let values = (0..<entry.elementCount).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        return (place.name, entry.shape, values)
      }
    }
  }

  private func add(_ path: String, as name: String, to library: Library) throws -> String {
    try ModelImport(
      TinyCheckpoint(file: SingleFileCheckpoint(path: path, constants: Self.constants)), path: path, name: name,
      into: library.folder,
      plan: .int8, replaces: false, tool: "test 1"
    ).run()
  }

  private func file(_ package: String, _ network: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(package)/\(network).safetensors"))
  }

  @Test func aSafetensorsFile() throws {
    let library = Library()
    var writer = SafetensorsWriter()
    for (name, shape, values) in try Self.tensors() { writer.add(name, shape: shape, values: values) }
    try FileManager.default.createDirectory(atPath: library.folder.path, withIntermediateDirectories: true)
    let path = "\(library.folder.path)/.tiny.safetensors"
    try writer.write(to: path)
    let package = try add(path, as: "single", to: library)
    let folder = try library.add(tinyModel("sd1-tiny"), as: "folder")
    for network in ["unet", "vae", "text_encoder"] {
      #expect(try file(package, network) == file(folder, network), "\(network)")
    }
    let description = try PackageDescription(folder: package)
    #expect(description.provenance.sha256.keys.contains(".tiny.safetensors"))
    _ = try DiffusionModel(path: package, parts: [.encoder, .decoder])
  }

  /// Q8_0 and Q4_0 where the rows are whole blocks, F16 elsewhere, as stable-diffusion.cpp writes them.
  @Test func aQuantisedGGUFFile() throws {
    let library = Library()
    try FileManager.default.createDirectory(atPath: library.folder.path, withIntermediateDirectories: true)
    let (quantised, widened) = ("\(library.folder.path)/.tiny.gguf", "\(library.folder.path)/.wide.safetensors")
    try GGUFBytes(Self.tensors()).write(to: quantised)
    // The same numbers in f32: what the reader of blocks gives is held against gguf-py elsewhere.
    let weights = try WeightSet(path: quantised)
    var writer = SafetensorsWriter()
    var blocks: Set<Int> = []
    let file = try GGUFFile(path: quantised)
    for (name, tensor) in file.tensors {
      writer.add(name, shape: tensor.shape, values: try file.floats(of: tensor))
      blocks.insert(tensor.type.blockBytes)
      #expect(weights[name]?.shape == tensor.shape)
    }
    try writer.write(to: widened)
    #expect(blocks == [2, 18, 34], "all three kinds are there")
    let (ours, theirs) = (try add(quantised, as: "blocks", to: library), try add(widened, as: "wide", to: library))
    for network in ["unet", "vae", "text_encoder"] {
      #expect(try self.file(ours, network) == self.file(theirs, network), "\(network)")
    }
  }

  @Test func elementsThatAreNotReadAreNamed() throws {
    let library = Library()
    try FileManager.default.createDirectory(atPath: library.folder.path, withIntermediateDirectories: true)
    let path = "\(library.folder.path)/.tiny.gguf"
    try GGUFBytes(Self.tensors(), integers: "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc2.weight")
      .write(to: path)
    let error = try #require(throws: InversionError.self) { _ = try add(path, as: "integers", to: library) }
    #expect(error.code == .badModel && error.message.contains("'\(path)'"), "\(error.message)")
    #expect(error.message.contains("encoder.layers.0.mlp.fc2.weight") && error.message.contains("s8"))
    #expect(library.names == [".tiny.gguf"])
  }
}

/// A checkpoint of the tiny model, whose vocabulary is not CLIP's.
private struct TinyCheckpoint: ModelSource {
  let file: SingleFileCheckpoint

  var name: String { file.name }
  func config(of network: Network) throws -> ConfigText { try file.config(of: network) }
  func schedulerConfig() throws -> ConfigText { file.schedulerConfig() }
  func tokenizer() -> TokenizerSource { .folder(tinyModel("sd1-tiny") + "/tokenizer") }
  func layers(of network: Network, dtype: DType, plan: PrecisionPlan) throws -> any LayerSource {
    try file.layers(of: network, dtype: dtype, plan: plan)
  }
}

/// Writes a GGUF file.
private struct GGUFBytes {
  private var infos: [UInt8] = []
  private var data: [UInt8] = []
  private let count: Int

  private static func number<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// - Parameter integers: a tensor of whole numbers, which no network has.
  init(_ tensors: [(name: String, shape: [Int], values: [Float])], integers: String? = nil) {
    count = tensors.count
    var quantised = 0
    for tensor in tensors {
      let isWhole = tensor.shape.count == 2 && tensor.shape[1] % 32 == 0
      let (type, bytes): (UInt32, [UInt8]) =
        if tensor.name == integers {
          (24, [UInt8](repeating: 0, count: tensor.values.count))
        } else if isWhole {
          quantised % 2 == 0 ? (8, Self.eightBits(tensor.values)) : (2, Self.fourBits(tensor.values))
        } else {
          (1, tensor.values.flatMap { Self.number(Float16($0).bitPattern) })
        }
      quantised += isWhole ? 1 : 0
      infos += Self.number(UInt64(tensor.name.utf8.count)) + Array(tensor.name.utf8)
      infos += Self.number(UInt32(tensor.shape.count)) + tensor.shape.reversed().flatMap { Self.number(UInt64($0)) }
      infos += Self.number(type) + Self.number(UInt64(data.count))
      data += bytes
      data += [UInt8](repeating: 0, count: (32 - data.count % 32) % 32)
    }
  }

  func write(to path: String) throws {
    var bytes = Array("GGUF".utf8) + Self.number(UInt32(3)) + Self.number(UInt64(count)) + Self.number(UInt64(0))
    bytes += infos
    bytes += [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32)
    try Data(bytes + data).write(to: URL(fileURLWithPath: path))
  }

  private static func blocks(_ values: [Float]) -> [ArraySlice<Float>] {
    stride(from: 0, to: values.count, by: 32).map { values[$0..<$0 + 32] }
  }

  private static func eightBits(_ values: [Float]) -> [UInt8] {
    blocks(values).flatMap { block in
      let scale = Float16((block.map(abs).max() ?? 0) / 127)
      return number(scale.bitPattern) + block.map { UInt8(bitPattern: Int8(($0 / max(1e-9, Float(scale))).rounded())) }
    }
  }

  private static func fourBits(_ values: [Float]) -> [UInt8] {
    blocks(values).flatMap { block in
      let scale = Float16((block.map(abs).max() ?? 0) / 7)
      let digits = block.map { UInt8(min(15, max(0, ($0 / max(1e-9, Float(scale))).rounded() + 8))) }
      return number(scale.bitPattern) + (0..<16).map { digits[$0] | digits[$0 + 16] << 4 }
    }
  }
}
