import Errors
import Formats
import Kernels
import Ops
import Tensors

/// Weights as other tools store them, converted while a network is built: f32 is used where it is mapped, other types
/// are widened, convolutions go from (out, in, k, k) to (out, k, k, in), and what the plan says is quantised.
package struct CheckpointLayers: LayerSource {
  let weights: WeightSet
  let names: WeightNames
  let dtype: DType
  let plan: PrecisionPlan
  private let pool = BufferPool(keepsFreed: false)

  init(_ weights: WeightSet, names: WeightNames, dtype: DType = .f32, plan: PrecisionPlan = .full) {
    self.weights = weights
    self.names = names
    self.dtype = dtype
    self.plan = plan
  }

  package func layer(_ path: String, _ shape: LayerShape) throws -> LayerWeight {
    switch plan.precision(of: path) {
    case .int8: .int8(try packedWeight(path, shape))
    case .f16: try half(path, shape, .f16)
    case .bf16: try half(path, shape, .bf16)
    case .f32: .dense(try denseWeight(path, shape))
    }
  }

  /// A layer in half precision. Double computes with what its weights stand for.
  private func half(_ path: String, _ shape: LayerShape, _ type: DType) throws -> LayerWeight {
    guard dtype == .f64 else { return .half(try halfWeight(path, shape, as: type)) }
    let weight = try CheckpointLayers(weights, names: names).halfWeight(path, shape, as: type)
    let wide = pool.allocate(byteCount: weight.count * 8)
    let converted = convert(count: weight.count, from: weight.pointer, as: type, to: wide.pointer, as: .f64)
    precondition(converted, "halves are widened")
    return .dense(Weight(pointer: wide.pointer, dtype: .f64, shape: weight.shape, owner: wide))
  }

  /// The files, for messages.
  private var files: String { weights.paths.map { "'\($0)'" }.joined(separator: ", ") }

  /// The files of the weights.
  package var paths: [String] { weights.paths }

  /// A table in the engine's element type.
  package func wideTable(_ path: String, rows: Int, columns: Int) throws -> Weight {
    try tensor(path, [rows, columns])
  }

  /// Lets the pages of a weight go: it has been read, and what is used from now on is a copy.
  package func release(_ path: String) {
    for place in names.candidates(for: path) { if let entry = weights[place.name] { weights.release(entry) } }
  }

  package func vector(_ path: String, _ count: Int) throws -> Weight { try tensor(path, [count]) }

  package func table(_ path: String, rows: Int, columns: Int) throws -> Weight {
    let (source, contents) = try find(path, [rows, columns])
    guard let base = contents.bytes.baseAddress, UInt(bitPattern: base) % UInt(source.byteCount) == 0,
      [.f32, .f16, .bf16].contains(source)
    else { return try tensor(path, [rows, columns]) }
    return Weight(pointer: base, dtype: source, shape: [rows, columns], owner: contents)
  }

  /// A layer's weight quantised and packed, whatever the plan says.
  /// - Throws: also `badModel` for a value that is not finite.
  package func packedWeight(_ path: String, _ shape: LayerShape) throws -> PackedWeight {
    defer { release("\(path).weight") }
    return PackedWeight(try finite(path, denseWeight(path, shape), limit: .greatestFiniteMagnitude), pool: pool)
  }

  /// A layer's weight in f16 or bf16 and the engine's layout, whatever the plan says.
  /// - Throws: also `badModel` for a value that the type does not hold.
  package func halfWeight(_ path: String, _ shape: LayerShape, as half: DType) throws -> Weight {
    defer { release("\(path).weight") }
    return try narrowed(path, denseWeight(path, shape), to: half)
  }

  /// A table in f16.
  /// - Throws: also `badModel` for a value that f16 does not hold.
  package func halfTable(_ path: String, rows: Int, columns: Int) throws -> Weight {
    try narrowed(path, tensor(path, [rows, columns]), to: .f16)
  }

  private func narrowed(_ path: String, _ weight: Weight, to half: DType) throws -> Weight {
    // bf16 has eight bits of mantissa, and the exponents of f32.
    let largest = half == .bf16 ? 0x1.FEp127 : Float(Float16.greatestFiniteMagnitude)
    let weight = try finite(path, weight, limit: largest)
    let buffer = pool.allocate(byteCount: weight.count * 2)
    let converted = convert(count: weight.count, from: weight.pointer, as: .f32, to: buffer.pointer, as: half)
    precondition(converted, "f32 is narrowed")
    return Weight(pointer: buffer.pointer, dtype: half, shape: weight.shape, owner: buffer)
  }

  private func finite(_ path: String, _ weight: Weight, limit: Float) throws -> Weight {
    let values = UnsafeBufferPointer(start: weight.pointer.assumingMemoryBound(to: Float.self), count: weight.count)
    guard values.allSatisfy({ abs($0) <= limit }) else {
      throw InversionError(
        .badModel,
        "\(files): a weight of '\(path)' is not finite or over \(limit); get a "
          + "sound model, or give the layer f32 in a plan")
    }
    return weight
  }

  /// A layer's weight in the engine's element type and layout, whatever the plan says.
  package func denseWeight(_ path: String, _ shape: LayerShape) throws -> Weight {
    guard let window = shape.window else { return try tensor("\(path).weight", shape.dimensions) }
    let weight = try tensor("\(path).weight", [shape.outputs, shape.inputs, window, window])
    return window == 1 ? weight.reshaped(shape.dimensions) : channelsLast(weight, shape)
  }

  // MARK: Tensors

  /// A tensor in the engine's element type, of exactly this shape but for dimensions of 1 at the end.
  /// - Throws: `badModel` naming the file, the tensor and both shapes.
  private func tensor(_ path: String, _ shape: [Int]) throws -> Weight {
    let (source, contents) = try find(path, shape)
    guard let base = contents.bytes.baseAddress else { preconditionFailure("a checked tensor has bytes") }
    let aligned = UInt(bitPattern: base) % UInt(max(1, source.byteCount)) == 0
    if source == dtype, aligned { return Weight(pointer: base, dtype: dtype, shape: shape, owner: contents) }
    let count = shape.reduce(1, *)
    let buffer = pool.allocate(byteCount: count * dtype.byteCount)
    // Widening reads whole elements, so an unaligned source is moved first.
    let moved = aligned ? nil : pool.allocate(byteCount: contents.bytes.count)
    moved?.pointer.copyMemory(from: base, byteCount: contents.bytes.count)
    let readable = moved.map { UnsafeRawPointer($0.pointer) } ?? base
    guard convert(count: count, from: readable, as: source, to: buffer.pointer, as: dtype) else {
      throw InversionError(
        .badModel, "\(files): '\(path)': weights of type \(source) are not supported; convert them to f16")
    }
    release(path)
    return Weight(pointer: buffer.pointer, dtype: dtype, shape: shape, owner: buffer)
  }

  /// The element type and the elements of a tensor, or of its third where three are stacked.
  private func find(_ path: String, _ shape: [Int]) throws -> (DType, PartialContents) {
    let (entry, third) = try entry(path, shape)
    let contents = try weights.contents(of: entry)
    guard let third else { return (try entry.dtype, PartialContents(contents, contents.bytes[...])) }
    let size = contents.bytes.count / 3
    return (try entry.dtype, PartialContents(contents, contents.bytes[third * size..<(third + 1) * size]))
  }

  /// The entry of a weight, checked, and which third of it the weight is.
  package func entry(_ path: String, _ shape: [Int]) throws -> (TensorEntry, third: Int?) {
    let places = names.candidates(for: path)
    guard let place = places.first(where: { weights[$0.name] != nil }) ?? places.first else {
      preconditionFailure("no file names '\(path)'")
    }
    let entry = try weights.entry(place.name)
    let stacked = place.third == nil ? shape : [3 * shape[0]] + shape.dropFirst()
    guard squeezed(entry.shape) == squeezed(stacked), !shape.contains(0) else {
      throw InversionError(
        .badModel,
        "'\(entry.path)': tensor '\(entry.name)' has shape \(entry.shape), the config asks for \(stacked); "
          + "use the weights and the config of one model")
    }
    return (entry, place.third)
  }

  private func squeezed(_ shape: [Int]) -> [Int] {
    var result = shape
    while result.count > 1, result.last == 1 { result.removeLast() }
    return result
  }

  /// (out, in, k, k) -> (out, k, k, in), the order in which patches of rows lie.
  private func channelsLast(_ weight: Weight, _ shape: LayerShape) -> Weight {
    let (inputs, taps) = (shape.inputs, weight.shape[2] * weight.shape[3])
    let buffer = pool.allocate(byteCount: weight.count * dtype.byteCount)
    func reorder<Element: BitwiseCopyable>(_: Element.Type) {
      let source = weight.pointer.assumingMemoryBound(to: Element.self)
      let target = buffer.pointer.assumingMemoryBound(to: Element.self)
      for output in 0..<shape.outputs {
        let start = output * inputs * taps
        for tap in 0..<taps {
          for input in 0..<inputs { target[start + tap * inputs + input] = source[start + input * taps + tap] }
        }
      }
    }
    if dtype == .f64 { reorder(UInt64.self) } else { reorder(UInt32.self) }
    return Weight(pointer: buffer.pointer, dtype: dtype, shape: shape.dimensions, owner: buffer)
  }
}

/// The elements of a tensor or of a part of it, which keep the whole alive.
private final class PartialContents {
  let bytes: UnsafeRawBufferPointer
  private let whole: TensorContents

  init(_ whole: TensorContents, _ part: Slice<UnsafeRawBufferPointer>) {
    self.whole = whole
    bytes = UnsafeRawBufferPointer(rebasing: part)
  }
}
