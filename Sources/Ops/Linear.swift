import Kernels
import Tensors

/// A fully connected layer: weight (out, in), bias (out).
public struct Linear: Sendable {
  public let weight: Weight
  public let bias: Weight?

  public init(weight: Weight, bias: Weight?) {
    precondition(weight.shape.count == 2 && (bias.map { $0.shape == [weight.shape[0]] } ?? true))
    self.weight = weight
    self.bias = bias
  }

  public var outputs: Int { weight.shape[0] }
  public var inputs: Int { weight.shape[1] }
}

extension Tape {
  /// y = x Wᵀ + b: (…, in) -> (…, out).
  public func linear(_ x: Activation, _ layer: Linear) -> Activation {
    precondition(x.channels == layer.inputs && layer.weight.dtype == dtype)
    let y = output(x.shape.dropLast() + [layer.outputs], of: x)
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
          layer.weight.pointer + columns.lowerBound * inputs * dtype.byteCount, stride: inputs, transposed: true),
        beta: layer.bias == nil ? 0 : 1, into: target, stride: outputs)
    }
    record(y, LinearRecord(x: x.slot, shape: x.shape, layer: layer))
    return y
  }

  /// dx = dy W: (…, out) -> (…, in).
  func linearInputGradient(_ dy: Activation, shape: [Int], _ layer: Linear) -> Activation {
    let dx = allocate(shape)
    let (inputs, outputs) = (layer.inputs, layer.outputs)
    inTiles(rows: dx.rows, columns: inputs, depth: outputs) { rows, columns in
      matrixProduct(
        dtype, m: rows.count, n: columns.count, k: outputs,
        Matrix(dy.at(rows.lowerBound * outputs), stride: outputs),
        Matrix(layer.weight.pointer + columns.lowerBound * dtype.byteCount, stride: inputs),
        into: dx.at(rows.lowerBound * inputs + columns.lowerBound), stride: inputs)
    }
    return dx
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
