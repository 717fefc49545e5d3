import Kernels
import Tensors

/// The weights of a linear layer or convolution: in the tape's element type, or narrower as the layer's plan says.
public enum LayerWeight: Sendable {
  /// (out, in), or (out, kernel, kernel, in).
  case dense(Weight)
  /// f16 or bf16 of the same shape, with products and sums in f32.
  case half(Weight)
  case int8(PackedWeight)

  var outputs: Int {
    switch self {
    case .dense(let weight), .half(let weight): weight.shape[0]
    case .int8(let weight): weight.outputs
    }
  }

  var inputs: Int {
    switch self {
    case .dense(let weight), .half(let weight): weight.shape[weight.shape.count - 1]
    case .int8(let weight): weight.inputs
    }
  }

  /// The side of a convolution's window; 1 for a linear layer.
  var kernel: Int {
    switch self {
    case .dense(let weight), .half(let weight): weight.shape.count == 4 ? weight.shape[1] : 1
    case .int8(let weight): weight.kernel
    }
  }

  /// What a gradient of f32 or f64 goes back through: the weights, widened for the moment where they are in half.
  func dense(_ pool: BufferPool) -> Weight {
    switch self {
    case .dense(let weight): return weight
    case .half(let weight):
      let wide = pool.allocate(byteCount: weight.count * 4)
      let isWidened = convert(count: weight.count, from: weight.pointer, as: weight.dtype, to: wide.pointer, as: .f32)
      precondition(isWidened, "f16 and bf16 are widened")
      return Weight(pointer: wide.pointer, dtype: .f32, shape: weight.shape, owner: wide)
    case .int8: preconditionFailure("int8 layers have a way back of their own")
    }
  }
}

/// A fully connected layer: weight (out, in), bias (out).
public struct Linear: Sendable {
  public let weight: LayerWeight
  public let bias: Weight?

  public init(weight: Weight, bias: Weight?) { self.init(weight: .dense(weight), bias: bias) }

  public init(weight: LayerWeight, bias: Weight?) {
    precondition(weight.kernel == 1 && (bias.map { $0.shape == [weight.outputs] } ?? true))
    self.weight = weight
    self.bias = bias
  }

  public var outputs: Int { weight.outputs }
  public var inputs: Int { weight.inputs }

  /// For an attention whose queries this layer makes: 16 bits lose less than int8 queries have lost already.
  public var attentionPrecision: AttentionPrecision {
    if case .int8 = weight { .sixteenBits } else { .f32 }
  }
}

extension Tape {
  /// y = x Wᵀ + b: (…, in) -> (…, out).
  public func linear(_ x: Activation, _ layer: Linear) -> Activation {
    precondition(x.channels == layer.inputs)
    let shape = Array(x.shape.dropLast()) + [layer.outputs]
    switch layer.weight {
    case .int8(let weight):
      return quantisedProduct(x, weight, layer.bias, .rows(x.rows, channels: x.channels), shape: shape)
    case .half(let weight):
      let y = output(shape, of: x)
      record(y, LinearRecord(x: x.slot, shape: x.shape, layer: layer))
      halfLinear(x, weight, layer.bias, into: y)
      return y
    case .dense(let weight): return linear(x, layer, weight, shape: shape)
    }
  }

  private func linear(_ x: Activation, _ layer: Linear, _ weight: Weight, shape: [Int]) -> Activation {
    precondition(weight.dtype == dtype)
    let y = output(shape, of: x)
    record(y, LinearRecord(x: x.slot, shape: x.shape, layer: layer))
    let (inputs, outputs) = (layer.inputs, layer.outputs)
    inTiles(rows: x.rows, columns: outputs, depth: inputs) { rows, columns in
      let target = y.at(rows.lowerBound * outputs + columns.lowerBound)
      if let bias = layer.bias {
        let start = bias.pointer + columns.lowerBound * dtype.byteCount
        kernels.fill_rows(rows.count, columns.count, outputs, start, target)
      }
      matrixProduct(
        dtype, m: rows.count, n: columns.count, k: inputs,
        Matrix(x.at(rows.lowerBound * inputs), stride: inputs),
        Matrix(
          weight.pointer + columns.lowerBound * inputs * dtype.byteCount, stride: inputs, transposed: true),
        beta: layer.bias == nil ? 0 : 1, into: target, stride: outputs)
    }
    layerObserver?(
      LayerCall(weight: weight, bias: layer.bias, window: .rows(x.rows, channels: inputs), input: x, output: y))
    return y
  }

  /// dx = dy W: (…, out) -> (…, in).
  func linearInputGradient(_ dy: Activation, shape: [Int], _ layer: Linear) -> Activation {
    let dx = allocate(shape)
    let weight = layer.weight.dense(pool)
    let (inputs, outputs) = (layer.inputs, layer.outputs)
    inTiles(rows: dx.rows, columns: inputs, depth: outputs) { rows, columns in
      matrixProduct(
        dtype, m: rows.count, n: columns.count, k: outputs,
        Matrix(dy.at(rows.lowerBound * outputs), stride: outputs),
        Matrix(weight.pointer + columns.lowerBound * dtype.byteCount, stride: inputs),
        into: dx.at(rows.lowerBound * inputs + columns.lowerBound), stride: inputs)
    }
    return dx
  }

  /// y = x Wᵀ + b with W in f16 or bf16; only on a tape in f32.
  private func halfLinear(_ x: Activation, _ weight: Weight, _ bias: Weight?, into y: Activation) {
    precondition(dtype == .f32, "half weights compute in f32")
    inTiles(rows: x.rows, columns: y.channels, depth: x.channels) { rows, columns in
      halfProduct(
        rows: rows.count, x: x.at(rows.lowerBound * x.channels), stride: x.channels, weight, columns: columns,
        bias: bias, into: y.at(rows.lowerBound * y.channels), stride: y.channels, pool: pool)
    }
  }

  /// Cuts a (rows, columns) product of inner size `depth` into tiles: along the rows where there are enough, else along
  /// the columns; not at all where a thread's start would cost more than it saves.
  func inTiles(rows: Int, columns: Int, depth: Int, _ body: (Range<Int>, Range<Int>) -> Void) {
    let smallestWorthCutting = 100_000
    if rows * columns * depth < smallestWorthCutting {
      body(0..<rows, 0..<columns)
    } else if rows >= 128 {
      Parallel.forEachRange(rows, grain: max(64, rows / 8)) { body($0, 0..<columns) }
    } else {
      Parallel.forEachRange(columns, grain: max(32, columns / 4)) { body(0..<rows, $0) }
    }
  }
}

private struct LinearRecord: TapeRecord {
  let x: Int?
  let shape: [Int]
  let layer: Linear

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(tape.linearInputGradient(dy, shape: shape, layer), for: x)
  }
}
