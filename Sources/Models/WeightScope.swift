import Errors
import Formats
import Kernels
import Ops
import Tensors

/// The weights of one network seen from one of its parts: `scope["down_blocks"][0]["resnets"]`.
///
/// Tensors come as the engine computes with them: f32 files are used where they are mapped, other types are widened,
/// convolutions go from (out, in, k, k) to (out, k, k, in).
struct WeightScope {
  let weights: WeightSet
  /// Dotted, as observers see it and, apart from `WeightNames`, as files name it.
  let path: String
  let dtype: DType
  let names: WeightNames
  let plan: PrecisionPlan
  private let pool: BufferPool

  init(
    _ weights: WeightSet, dtype: DType, path: String = "", names: WeightNames = WeightNames(),
    plan: PrecisionPlan = .full, pool: BufferPool = BufferPool(keepsFreed: false)
  ) {
    self.weights = weights
    self.path = path
    self.dtype = dtype
    self.names = names
    self.plan = plan
    self.pool = pool
  }

  subscript(part: String) -> WeightScope {
    WeightScope(
      weights, dtype: dtype, path: path.isEmpty ? part : "\(path).\(part)", names: names, plan: plan, pool: pool)
  }

  subscript(index: Int) -> WeightScope { self["\(index)"] }

  // MARK: Layers

  /// A linear layer, or a 1x1 convolution that serves as one.
  func linear(_ inputs: Int, _ outputs: Int, bias: Bool = true) throws -> Linear {
    Linear(
      weight: planned(try tensor("weight", [outputs, inputs])), bias: bias ? try tensor("bias", [outputs]) : nil)
  }

  func conv2d(
    _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1, padding: (leading: Int, trailing: Int)? = nil
  ) throws -> Conv2d {
    let weight = try tensor("weight", [outputs, inputs, kernel, kernel])
    let same = kernel / 2
    return Conv2d(
      weight: planned(kernel == 1 ? weight.reshaped([outputs, 1, 1, inputs]) : channelsLast(weight)),
      bias: try tensor("bias", [outputs]), stride: stride, padding: padding ?? (same, same))
  }

  /// In the precision that the plan has for this layer.
  private func planned(_ weight: Weight) -> LayerWeight {
    plan.isInt8(path) ? .int8(PackedWeight(weight, pool: pool)) : .dense(weight)
  }

  func norm(_ channels: Int, eps: Double) throws -> NormParameters {
    NormParameters(weight: try tensor("weight", [channels]), bias: try tensor("bias", [channels]), eps: eps)
  }

  // MARK: Tensors

  /// A tensor in the engine's element type, of exactly this shape but for dimensions of 1 at the end.
  /// - Throws: `badModel` naming file, tensor and both shapes.
  func tensor(_ name: String, _ shape: [Int]) throws -> Weight {
    let (source, bytes) = try find(name, shape)
    guard let base = bytes.baseAddress else { preconditionFailure("a checked tensor has bytes") }
    let aligned = UInt(bitPattern: base) % UInt(max(1, source.byteCount)) == 0
    if source == dtype, aligned {
      return Weight(pointer: base, dtype: dtype, shape: shape, owner: WeightOwner(weights))
    }
    let count = shape.reduce(1, *)
    let buffer = pool.allocate(byteCount: count * dtype.byteCount)
    // Widening reads whole elements, so an unaligned source is moved first.
    let moved = aligned ? nil : pool.allocate(byteCount: bytes.count)
    moved?.pointer.copyMemory(from: base, byteCount: bytes.count)
    let readable = moved.map { UnsafeRawPointer($0.pointer) } ?? base
    guard convert(count: count, from: readable, as: source, to: buffer.pointer, as: dtype) else {
      throw InversionError(
        .badModel, "'\(self[name].path)': weights of type \(source) are not supported; convert them to f16")
    }
    return Weight(pointer: buffer.pointer, dtype: dtype, shape: shape, owner: buffer)
  }

  /// A tensor as its file has it, for tables that are read row by row.
  func rawTensor(_ name: String, _ shape: [Int]) throws -> Weight {
    let (source, bytes) = try find(name, shape)
    guard let base = bytes.baseAddress, UInt(bitPattern: base) % UInt(source.byteCount) == 0,
      [.f32, .f16, .bf16].contains(source)
    else { return try tensor(name, shape) }
    return Weight(pointer: base, dtype: source, shape: shape, owner: WeightOwner(weights))
  }

  /// The element type and the bytes of a tensor, or of its third where three are stacked.
  private func find(_ name: String, _ shape: [Int]) throws -> (DType, UnsafeRawBufferPointer) {
    let places = names.candidates(for: self[name].path)
    guard let place = places.first(where: { weights[$0.name] != nil }) ?? places.first else {
      preconditionFailure("no file names '\(self[name].path)'")
    }
    let entry = try weights.entry(place.name)
    let stacked = place.third == nil ? shape : [3 * shape[0]] + shape.dropFirst()
    guard squeezed(entry.shape) == squeezed(stacked), !shape.contains(0) else {
      throw InversionError(
        .badModel,
        "'\(entry.path)': tensor '\(entry.name)' has shape \(entry.shape), the config asks for \(stacked); "
          + "use the weights and the config of one model")
    }
    let bytes = weights.bytes(of: entry)
    guard let third = place.third else { return (try entry.dtype, bytes) }
    let size = bytes.count / 3
    return (try entry.dtype, UnsafeRawBufferPointer(rebasing: bytes[third * size..<(third + 1) * size]))
  }

  private func squeezed(_ shape: [Int]) -> [Int] {
    var result = shape
    while result.count > 1, result.last == 1 { result.removeLast() }
    return result
  }

  /// (out, in, k, k) -> (out, k, k, in), the order in which patches of rows lie.
  private func channelsLast(_ weight: Weight) -> Weight {
    let (outputs, inputs, taps) = (weight.shape[0], weight.shape[1], weight.shape[2] * weight.shape[3])
    let size = dtype.byteCount
    let buffer = pool.allocate(byteCount: weight.count * size)
    for output in 0..<outputs {
      for input in 0..<inputs {
        for tap in 0..<taps {
          let from = ((output * inputs + input) * taps + tap) * size
          let to = ((output * taps + tap) * inputs + input) * size
          (buffer.pointer + to).copyMemory(from: weight.pointer + from, byteCount: size)
        }
      }
    }
    return Weight(
      pointer: buffer.pointer, dtype: dtype, shape: [outputs, weight.shape[2], weight.shape[3], inputs], owner: buffer)
  }
}

/// Keeps a file mapping alive.
private final class WeightOwner {
  let weights: WeightSet
  init(_ weights: WeightSet) { self.weights = weights }
}
