import Kernels
import Tensors

/// A linear layer or convolution in int8, until it is known what its rows are added to.
struct ProductRows: DeferredRows {
  let tape: Tape
  let x: Activation
  let weight: PackedWeight
  let window: Window
  /// Whether the window slides over x doubled in height and width.
  let doubled: Bool
  let bias: Weight?
  /// (B, outputs), added to every row of its picture.
  var rowVectors: Activation?

  /// Whether a gate may join it. What is judged by the exact gradient keeps to ops that have one.
  var canBeGated: Bool {
    rowVectors == nil && !doubled && window.kernel == 1 && weight.canBeGated && !tape.isStraightThrough
  }

  func fill(_ y: UnsafeMutableRawPointer) { fill(y, adding: nil) }

  /// With `residual` (rows, outputs) added.
  func fill(_ y: UnsafeMutableRawPointer, adding residual: Activation?) {
    if window.kernel == 1, let gated = x.deferred as? GatedRows {
      fill(y, through: gated, adding: residual)
      return
    }
    var epilogue = PackedWeight.Epilogue(bias: bias)
    epilogue.rowVectors = (rowVectors?.pointer).map { UnsafeRawPointer($0) }
    epilogue.residual = (residual?.pointer).map { UnsafeRawPointer($0) }
    let parts = x.quantised(tape.pool)
    tape.int8Work.operations += weight.operations(rows: parts[0].rows * (doubled ? 4 : 1), window)
    tape.using([weight]) { weight.product(parts, window: window, doubled: doubled, epilogue, into: y) }
  }

  /// A few rows at a time, since the gated rows are four times as wide as what goes in and what comes out.
  private func fill(_ y: UnsafeMutableRawPointer, through gated: GatedRows, adding residual: Activation?) {
    tape.int8Work.operations += weight.operations(rows: x.rows, window)
    _ = residual?.buffer
    tape.using([gated.product.weight, weight]) {
      gated.forEachRun { rows in
        var epilogue = PackedWeight.Epilogue(bias: bias)
        epilogue.residual = residual.map { UnsafeRawPointer($0.at(rows.lowerBound * weight.outputs)) }
        weight.product(
          [gated.quantised(rows)], window: .rows(rows.count, channels: x.channels), epilogue,
          into: y + rows.lowerBound * weight.outputs * 4)
      }
    }
  }
}

extension Tape {
  /// Calls `body`, which multiplies by these weights.
  func using(_ weights: [PackedWeight], _ body: () -> Void) {
    for weight in weights { int8Work.bytes += weight.panels.count }
    guard let weightStream else { return body() }
    weightStream.use(weights, body)
  }

  /// x through an int8 layer.
  func quantisedProduct(
    _ x: Activation, _ weight: PackedWeight, _ bias: Weight?, _ window: Window, shape: [Int]
  ) -> Activation {
    precondition(dtype == .f32, "int8 layers compute in f32")
    let inner = x.deferred as? DoubledRows
    let rows = ProductRows(
      tape: self, x: inner?.x ?? x, weight: weight, window: window, doubled: inner != nil, bias: bias)
    let y = Activation(shape: shape, deferred: rows, slot: slot(of: x))
    if let gated = x.deferred as? GatedRows, let gradient = gated.gradient, window.kernel == 1 {
      record(y, GatedProductRecord(gated: gradient, weight: weight))
    } else {
      record(y, QuantisedProductRecord(x: x.slot, shape: x.shape, weight: weight, window: window))
    }
    return y
  }
}

/// The straight-through gradient of an int8 layer: quantisation counts as the identity.
private struct QuantisedProductRecord: TapeRecord {
  let x: Int?
  let shape: [Int]
  let weight: PackedWeight
  let window: Window

  func inputGradients(_ dy: Activation, on tape: Tape) {
    guard !tape.isStraightThrough else { return tape.accumulate(straightThrough(dy, on: tape), for: x) }
    tape.accumulate(for: x) { old in
      let dx = tape.allocate(shape)
      tape.using([weight]) {
        weight.inputGradient(
          dy.pointer, rows: dy.rows, window: window, adding: old?.pointer, into: dx.pointer, pool: tape.pool)
      }
      return dx
    }
  }

  private func straightThrough(_ dy: Activation, on tape: Tape) -> Activation {
    let dense = weight.dequantised(tape.pool)
    guard weight.kernel > 1 || window.stride > 1 else {
      return tape.linearInputGradient(
        dy, shape: shape, Linear(weight: dense.reshaped([weight.outputs, weight.inputs]), bias: nil))
    }
    return tape.conv2dInputGradient(
      dy, shape: shape, Conv2d(weight: dense, bias: nil, stride: window.stride, padding: window.padding))
  }
}
