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
    let rowsAtOnce = 1024
    tape.int8Work.operations += weight.operations(rows: x.rows, window)
    tape.using([gated.product.weight, weight]) {
      for first in stride(from: 0, to: x.rows, by: rowsAtOnce) {
        let rows = first..<min(first + rowsAtOnce, x.rows)
        var epilogue = PackedWeight.Epilogue(bias: bias)
        epilogue.residual = residual.map { UnsafeRawPointer($0.at(first * weight.outputs)) }
        weight.product(
          [gated.quantised(rows)], window: .rows(rows.count, channels: x.channels), epilogue,
          into: y + first * weight.outputs * 4)
      }
    }
  }
}

/// GEGLU of an int8 linear layer, joined in the layer's epilogue.
struct GatedRows: DeferredRows {
  let product: ProductRows

  var tape: Tape { product.tape }

  func fill(_ y: UnsafeMutableRawPointer) { tape.using([product.weight]) { fill(y, 0..<product.x.rows) } }

  private func fill(_ y: UnsafeMutableRawPointer, _ rows: Range<Int>) {
    var epilogue = PackedWeight.Epilogue(bias: product.bias)
    epilogue.gate = tape.kernels
    tape.int8Work.operations += product.weight.operations(
      rows: rows.count, .rows(rows.count, channels: product.x.channels))
    let parts = product.x.quantised(tape.pool).map { $0[rows] }
    product.weight.product(parts, window: .rows(rows.count, channels: product.x.channels), epilogue, into: y)
  }

  /// Some of the rows, in int8.
  func quantised(_ rows: Range<Int>) -> QuantisedRows {
    let channels = product.weight.outputs / 2
    let made = tape.allocate([rows.count, channels])
    fill(made.pointer, rows)
    return QuantisedRows(made.pointer, rows: rows.count, channels: channels, pool: tape.pool)
  }
}

extension Tape {
  /// Calls `body`, which multiplies by these weights.
  fileprivate func using(_ weights: [PackedWeight], _ body: () -> Void) {
    for weight in weights { int8Work.bytes += weight.panels.count }
    guard let weightStream else { return body() }
    weightStream.use(weights, body)
  }

  /// x through an int8 layer; deferred where no gradient goes back.
  func quantisedProduct(
    _ x: Activation, _ weight: PackedWeight, _ bias: Weight?, _ window: Window, shape: [Int]
  ) -> Activation {
    precondition(dtype == .f32, "int8 layers compute in f32")
    guard defers(x) else {
      let y = output(shape, of: x)
      let parts = x.quantised(pool)
      int8Work.operations += weight.operations(rows: parts[0].rows, window)
      using([weight]) { weight.product(parts, window: window, PackedWeight.Epilogue(bias: bias), into: y.pointer) }
      record(y, QuantisedProductRecord(x: x.slot, shape: x.shape, weight: weight, window: window))
      return y
    }
    let inner = x.deferred as? DoubledRows
    return Activation(
      shape: shape,
      deferred: ProductRows(
        tape: self, x: inner?.x ?? x, weight: weight, window: window, doubled: inner != nil, bias: bias))
  }
}

/// The straight-through gradient of an int8 layer: quantisation counts as the identity.
private struct QuantisedProductRecord: TapeRecord {
  let x: Int?
  let shape: [Int]
  let weight: PackedWeight
  let window: Window

  func inputGradients(_ dy: Activation, on tape: Tape) {
    let dx = tape.isStraightThrough ? straightThrough(dy, on: tape) : quantised(dy, on: tape)
    tape.accumulate(dx, for: x)
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

  private func quantised(_ dy: Activation, on tape: Tape) -> Activation {
    let dx = tape.allocate(shape)
    tape.using([weight]) {
      weight.inputGradient(dy.pointer, rows: dy.rows, window: window, into: dx.pointer, pool: tape.pool)
    }
    return dx
  }
}
