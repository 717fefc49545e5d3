import Kernels
import Tensors

/// Runs the ops of a network and, when recording, remembers what their input gradients need.
///
/// `Tape(recording: false)` only runs: an activation's memory returns to the pool after its last use. `Tape(recording:
/// true)` appends a record per op, and only where an input needs a gradient. Model weights are frozen: there are no
/// weight gradients anywhere. A tape belongs to one thread; its ops use several.
public final class Tape {
  /// f32, or f64 where gradients are checked against finite differences.
  public let dtype: DType
  public let recording: Bool
  public let pool: BufferPool
  /// Reads weights ahead and lets go of them, where memory is short.
  public var weightStream: WeightStream?
  /// Whether networks keep only their blocks' borders for the way back and compute the blocks again.
  public var recomputes = false
  /// Whether values for the way back are kept in int8, a quarter of the memory.
  public var savesInt8 = false
  /// Whether less is kept for the way back than is fastest or most exact.
  public var isShortOfMemory: Bool { recomputes || savesInt8 }
  /// Whether the way back through int8 layers multiplies in f32: the straight-through gradient by which that in int8 is
  /// judged. It widens the weights of each layer for the moment.
  public var isStraightThrough = false
  /// What int8 layers have done on this tape: multiplications and additions, and bytes of weights that were read.
  public internal(set) var int8Work = (operations: 0, bytes: 0)
  /// Called with the output of every named part of a network, under its diffusers path.
  public var observer: ((String, Activation) -> Void)?
  /// Called after each dense linear layer and convolution.
  public var layerObserver: ((LayerCall) -> Void)?

  let kernels: KernelTable
  private var records: [Record] = []
  private var gradients: [Int: Activation] = [:]
  private var slots = 0

  public init(dtype: DType = .f32, recording: Bool, pool: BufferPool = BufferPool()) {
    self.dtype = dtype
    self.recording = recording
    self.pool = pool
    self.kernels = Kernels.kernels(for: dtype)
  }

  // MARK: Inputs

  /// A constant from f32 elements.
  public func constant(_ shape: [Int], _ elements: [Float]) -> Activation {
    guard dtype == .f32 else { return filled(allocate(shape), with: elements.map(Double.init)) }
    let constant = allocate(shape)
    precondition(elements.count == constant.count)
    constant.pointer.copyMemory(from: elements, byteCount: elements.count * 4)
    return constant
  }

  /// A leaf whose gradient is wanted.
  public func variable(_ shape: [Int], _ elements: [Double]) -> Activation {
    precondition(recording, "a variable needs a recording tape")
    return filled(allocate(shape, slot: newSlot()), with: elements)
  }

  private func filled(_ activation: Activation, with elements: [Double]) -> Activation {
    precondition(elements.count == activation.count)
    switch dtype {
    case .f64: activation.pointer.copyMemory(from: elements, byteCount: elements.count * 8)
    default:
      let out = activation.pointer.assumingMemoryBound(to: Float.self)
      for (index, element) in elements.enumerated() { out[index] = Float(element) }
    }
    return activation
  }

  // MARK: For ops

  /// An activation of arbitrary contents, to be filled by its op.
  func allocate(_ shape: [Int], slot: Int? = nil) -> Activation {
    let buffer = pool.allocate(byteCount: shape.reduce(1, *) * dtype.byteCount)
    return Activation(shape: shape, dtype: dtype, buffer: buffer, slot: slot)
  }

  /// The output of an op that reads the rows of `inputs`: it needs a gradient when one of them does and the tape
  /// records. Deferred rows are made here, before the op's threads start.
  func output(_ shape: [Int], of inputs: Activation...) -> Activation {
    for input in inputs { _ = input.buffer }
    return allocate(shape, slot: recording && inputs.contains { $0.needsGradient } ? newSlot() : nil)
  }

  /// A slot for what is computed from `inputs`, where one of them needs a gradient and the tape records.
  func slot(of inputs: Activation...) -> Int? {
    recording && inputs.contains { $0.needsGradient } ? newSlot() : nil
  }

  /// The same memory under another shape and slot.
  func alias(_ x: Activation, shape: [Int]? = nil, slot: Int?) -> Activation {
    if x.deferred != nil { return Activation(shape: shape ?? x.shape, aliasOf: x, slot: slot) }
    return Activation(shape: shape ?? x.shape, dtype: x.dtype, buffer: x.buffer, slot: slot)
  }

  func newSlot() -> Int {
    slots += 1
    return slots
  }

  /// Remembers how to go back through the op that made `output`, if anything needs it.
  func record(_ output: Activation, _ record: @autoclosure () -> any TapeRecord) {
    if let slot = output.slot { records.append(.op(output: slot, record())) }
  }

  /// As `record`, for a run of ops whose several outputs go back together.
  func recordJoin(_ record: CheckpointRecord, outputs: [Int]) {
    records.append(.checkpoint(outputs: outputs, record))
  }

  /// Adds `gradient` to what has been collected for `slot`; nothing for a constant.
  func accumulate(_ gradient: @autoclosure () -> Activation, for slot: Int?) {
    accumulate(for: slot) { old in
      let new = gradient()
      return old.map { sum($0, new) } ?? new
    }
  }

  /// As above, for an op that can add what has been collected on its way: it gives the sum of that and its gradient.
  func accumulate(for slot: Int?, _ sum: (Activation?) -> Activation) {
    guard let slot else { return }
    gradients[slot] = sum(gradients.removeValue(forKey: slot))
  }

  private func sum(_ old: Activation, _ new: Activation) -> Activation {
    // In place is not allowed: `old` may be the gradient that another slot also holds.
    let sum = allocate(old.shape)
    inRuns(old.count) { kernels.add($0.count, old.at($0.lowerBound), new.at($0.lowerBound), sum.at($0.lowerBound)) }
    return sum
  }

  // MARK: Backward

  /// Walks the records in reverse from the gradients of a loss with respect to `outputs`. A tape goes back once.
  public func backward(_ outputs: [(Activation, gradient: Activation)]) {
    for (output, gradient) in outputs {
      precondition(output.shape == gradient.shape)
      accumulate(gradient, for: output.slot)
    }
    while let record = records.popLast() {
      switch record {
      case .op(let slot, let record):
        guard let gradient = gradients.removeValue(forKey: slot) else { continue }
        record.inputGradients(gradient, on: self)
      case .checkpoint(let slots, let record):
        let arrived = gradients.filter { slots.contains($0.key) }
        for slot in slots { gradients[slot] = nil }
        if !arrived.isEmpty { record.inputGradients(arrived, on: self) }
      }
    }
  }

  /// What `backward` collected for a variable; nil if the outputs do not depend on it.
  public func gradient(of variable: Activation) -> Activation? {
    variable.slot.flatMap { gradients[$0] }
  }

  /// Tells the observer of a named part's output.
  public func observe(_ path: String, _ output: Activation) { observer?(path, output) }
}

private enum Record {
  case op(output: Int, any TapeRecord)
  case checkpoint(outputs: [Int], CheckpointRecord)
}

/// What one op keeps for its gradient. It holds slots of inputs, and activations only where their values are needed.
protocol TapeRecord {
  /// Adds the gradients of the op's inputs, given that of its output, to the tape.
  func inputGradients(_ dy: Activation, on tape: Tape)
}
