import Kernels
import Models
import Ops
import Tensors

/// Computes layers of an f32 network once more in int8, as a package's layers will run: weights per output channel,
/// activations per row.
final class QuantisedLayers {
  /// A layer's path by the place of its weights.
  private var paths: [UnsafeRawPointer: String] = [:]
  private let pool = BufferPool()

  /// How close each layer's int8 output is to its own output in f32 on the same input.
  private(set) var own: [String: SignalToNoise] = [:]
  /// In the order in which the network computes.
  private(set) var order: [String] = []

  init(_ layers: [String: Weight]) {
    for (path, weight) in layers { paths[weight.pointer] = path }
  }

  /// Measures every layer that `tape` computes.
  func measure(on tape: Tape) {
    tape.layerObserver = { [self] call in
      guard let path = paths[call.weight.pointer] else { return }
      let result = pool.allocate(byteCount: call.output.count * 4)
      multiply(call, into: result.pointer)
      if own[path] == nil { order.append(path) }
      own[path, default: SignalToNoise()].add(
        floats(result.pointer, call.output.count), expected: floats(call.output.pointer, call.output.count))
    }
  }

  /// Lets the layers that `isChosen` names give their int8 output to the rest of the network.
  func replace(on tape: Tape, where isChosen: @escaping (String) -> Bool) {
    tape.layerObserver = { [self] call in
      guard let path = paths[call.weight.pointer], isChosen(path) else { return }
      multiply(call, into: call.output.pointer)
    }
  }

  private func multiply(_ call: LayerCall, into output: UnsafeMutableRawPointer) {
    let packed = PackedWeight(call.weight, pool: pool)
    let rows = QuantisedRows(call.input.pointer, rows: call.input.rows, channels: call.input.channels, pool: pool)
    packed.product([rows], window: call.window, PackedWeight.Epilogue(bias: call.bias), into: output)
  }

  private func floats(_ pointer: UnsafeMutableRawPointer, _ count: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: pointer.assumingMemoryBound(to: Float.self), count: count)
  }
}
