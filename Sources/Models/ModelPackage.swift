import Errors
import Formats
import Kernels
import Ops
import Tensors

/// An imported model: a folder with `model.json`, one file of packed weights a network, and the tokenizer's files.
///
/// The weights stay where they are mapped: opening reads the description and the headers, and pages come in when a
/// layer first computes.
package struct ModelPackage: ModelSource {
  package let path: String
  package let description: PackageDescription
  package var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// - Throws: `fileUnavailable`; `badModel` for a description that is not one, or a file of another size than it says.
  package init(path: String) throws {
    self.path = path
    description = try PackageDescription(folder: path)
    for (name, file) in description.files.sorted(by: { $0.key < $1.key }) {
      let size = try fileSize(path: "\(path)/\(name)")
      guard size == file.bytes else {
        throw InversionError(
          .badFile, "'\(path)/\(name)': \(size) bytes, 'model.json' says \(file.bytes); import the model again")
      }
    }
  }

  package func config(of network: Network) throws -> ConfigText {
    guard let config = description.networks[network.rawValue] else { throw missing("config of '\(network.rawValue)'") }
    return try text(config)
  }

  package func schedulerConfig() throws -> ConfigText { try text(description.scheduler) }

  package func tokenizer() -> TokenizerSource {
    description.tokenizer.folder.map { .folder("\(path)/\($0)") } ?? .clip(pad: description.tokenizer.pad)
  }

  package func layers(of network: Network, dtype: DType, plan: PrecisionPlan) throws -> any LayerSource {
    guard let precision = description.precision[network.rawValue] else {
      throw missing("precision of '\(network.rawValue)'")
    }
    let file = try SafetensorsFile(path: "\(path)/\(Self.weightsFile(of: network))")
    return PackageLayers(file, precision: precision, dtype: dtype)
  }

  package static func weightsFile(of network: Network) -> String { "\(network.rawValue).safetensors" }

  private var descriptionPath: String { "\(path)/\(PackageDescription.fileName)" }

  private func text(_ value: JSONValue) throws -> ConfigText { ConfigText(try value.json(), path: descriptionPath) }

  private func missing(_ what: String) -> InversionError {
    InversionError(.badModel, "'\(descriptionPath)': no \(what); import the model again")
  }
}

/// What needs weights as they were trained was given a package.
package func notDense(_ name: String) -> InversionError {
  InversionError(
    .badModel, "'\(name)': a model package, whose weights are quantised; give the folder or file it was imported from")
}

/// The layers of one network of a package, as they are mapped.
struct PackageLayers: LayerSource {
  private let file: SafetensorsFile
  private let precision: [String: LayerPrecision]
  private let dtype: DType
  private let pool = BufferPool(keepsFreed: false)

  init(_ file: SafetensorsFile, precision: [String: LayerPrecision], dtype: DType) {
    self.file = file
    self.precision = precision
    self.dtype = dtype
  }

  func layer(_ path: String, _ shape: LayerShape) throws -> LayerWeight {
    guard let precision = precision[path] else {
      throw InversionError(.badModel, "'\(file.path)': no precision for '\(path)'; import the model again")
    }
    if precision == .int8 { return .int8(try packed(path, shape)) }
    guard let half = precision.half, dtype == .f32 else {
      return .dense(try dense("\(path).weight", shape.dimensions))
    }
    let (type, bytes) = try find("\(path).weight", shape.dimensions, [half])
    return .half(Weight(pointer: bytes, dtype: type, shape: shape.dimensions, owner: file))
  }

  func vector(_ path: String, _ count: Int) throws -> Weight { try dense(path, [count]) }

  func table(_ path: String, rows: Int, columns: Int) throws -> Weight {
    let (type, bytes) = try find(path, [rows, columns], [.f32, .f16])
    return Weight(pointer: bytes, dtype: type, shape: [rows, columns], owner: file)
  }

  func releasePages() { file.advise(.dontNeed) }

  var mappedBytes: Int { file.byteCount }

  private func packed(_ path: String, _ shape: LayerShape) throws -> PackedWeight {
    guard dtype == .f32 else {
      throw InversionError(.badModel, "'\(file.path)': '\(path)' is int8, and only f32 computes with it")
    }
    let (outputs, inputs, kernel) = (shape.outputs, shape.inputs, shape.window ?? 1)
    let dimensions = PackedWeight.panelShape(outputs: outputs, kernel: kernel, inputs: inputs)
    let (_, panels) = try find(PackageNames.panels(path), dimensions, [.u8])
    let (_, scales) = try find(PackageNames.scales(path), [outputs], [.f32])
    return PackedWeight(
      panels: UnsafeRawBufferPointer(start: panels, count: dimensions.reduce(1, *)), scales: scales, outputs: outputs,
      kernel: kernel, inputs: inputs, owner: file, pool: pool)
  }

  /// f32 where it is mapped; f16 and bf16 are widened.
  private func dense(_ name: String, _ shape: [Int]) throws -> Weight {
    let (type, bytes) = try find(name, shape, [.f32, .f16, .bf16])
    if type == dtype { return Weight(pointer: bytes, dtype: dtype, shape: shape, owner: file) }
    let count = shape.reduce(1, *)
    let buffer = pool.allocate(byteCount: count * dtype.byteCount)
    let converted = convert(count: count, from: bytes, as: type, to: buffer.pointer, as: dtype)
    precondition(converted, "all three types are widened")
    return Weight(pointer: buffer.pointer, dtype: dtype, shape: shape, owner: buffer)
  }

  /// The type and the place of a tensor that must be there, aligned, with this shape and one of these types.
  private func find(_ name: String, _ shape: [Int], _ types: [DType]) throws -> (DType, UnsafeRawPointer) {
    let entry = try file.entry(name)
    func refuse(_ reason: String) -> InversionError {
      InversionError(.badModel, "'\(file.path)': tensor '\(name)' \(reason); import the model again")
    }
    guard entry.shape == shape, !shape.contains(0), let bytes = file.bytes(of: entry).baseAddress else {
      throw refuse("has shape \(entry.shape), the config asks for \(shape)")
    }
    guard let type = types.first(where: { $0 == (try? entry.dtype) }) else {
      throw refuse("has elements of type \(entry.type.rawValue)")
    }
    guard UInt(bitPattern: bytes) % 64 == 0 else { throw refuse("is not aligned to 64 bytes") }
    return (type, bytes)
  }
}

/// The names of an int8 layer's tensors.
package enum PackageNames {
  package static func panels(_ path: String) -> String { "\(path).weight.panels" }
  package static func scales(_ path: String) -> String { "\(path).weight.scales" }
}
