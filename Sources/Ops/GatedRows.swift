import Kernels
import Tensors

/// GEGLU of an int8 linear layer: joined in the layer's epilogue where no gradient goes back, else computed a few rows
/// at a time, so that the layer's wide outputs never all exist in f32.
struct GatedRows: DeferredRows {
  let product: ProductRows
  /// What the way back needs; nil where none leads back.
  let gradient: GatedGradient?

  var tape: Tape { product.tape }
  private var channels: Int { product.weight.outputs / 2 }

  func fill(_ y: UnsafeMutableRawPointer) {
    tape.using([product.weight]) { forEachRun { fill(y + $0.lowerBound * channels * 4, $0) } }
  }

  func forEachRun(_ body: (Range<Int>) -> Void) {
    let rowsAtOnce = 1024
    for first in stride(from: 0, to: product.x.rows, by: rowsAtOnce) {
      body(first..<min(first + rowsAtOnce, product.x.rows))
    }
  }

  private func fill(_ y: UnsafeMutableRawPointer, _ rows: Range<Int>) {
    var epilogue = PackedWeight.Epilogue(bias: product.bias)
    let window = Window.rows(rows.count, channels: product.x.channels)
    tape.int8Work.operations += product.weight.operations(rows: rows.count, window)
    let parts = product.x.quantised(tape.pool).map { $0[rows] }
    guard let gradient else {
      epilogue.gate = tape.kernels
      return product.weight.product(parts, window: window, epilogue, into: y)
    }
    let wide = tape.allocate([rows.count, product.weight.outputs])
    product.weight.product(parts, window: window, epilogue, into: wide.pointer)
    gradient.keep(wide, of: rows, on: tape)
    tape.geglu(wide, into: y)
  }

  /// Some of the rows, in int8.
  func quantised(_ rows: Range<Int>) -> QuantisedRows {
    let made = tape.allocate([rows.count, channels])
    fill(made.pointer, rows)
    return withExtendedLifetime(made) {
      QuantisedRows(made.pointer, rows: rows.count, channels: channels, pool: tape.pool)
    }
  }
}

/// What the way back through a gated int8 layer needs: where its input's gradient goes, and what was multiplied and
/// gated, known when the rows are made.
final class GatedGradient {
  let x: Int?
  let shape: [Int]
  let weight: PackedWeight
  /// (rows, 2 * channels) of a few rows each.
  private(set) var wide: [(rows: Range<Int>, saved: SavedRows)] = []

  init(of product: ProductRows) {
    (x, shape, weight) = (product.x.slot, product.x.shape, product.weight)
  }

  /// Rows that more than one reader makes are kept once.
  func keep(_ rows: Activation, of range: Range<Int>, on tape: Tape) {
    guard !wide.contains(where: { $0.rows == range }) else { return }
    wide.append((range, SavedRows(rows, on: tape)))
  }

  /// The gradient of the layer's input, a few rows at a time: `gatedGradient` gives that of the gated rows in a range.
  func inputGradients(on tape: Tape, _ gatedGradient: (Range<Int>) -> Activation) {
    tape.accumulate(for: x) { old in
      let dx = tape.allocate(shape)
      for (rows, saved) in wide {
        let dwide = tape.gegluInputGradient(gatedGradient(rows), saved.restored(on: tape))
        let start = rows.lowerBound * dx.channels
        withExtendedLifetime(dwide) {
          weight.inputGradient(
            dwide.pointer, rows: rows.count, window: .rows(rows.count, channels: dx.channels), adding: old?.at(start),
            into: dx.at(start), pool: tape.pool)
        }
      }
      return dx
    }
  }
}

/// Of gated rows that were made in f32 for some other reader than an int8 layer.
struct GatedRecord: TapeRecord {
  let gated: GatedGradient

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.using([gated.weight]) {
      gated.inputGradients(on: tape) { rows in
        let part = tape.allocate([rows.count, dy.channels])
        part.pointer.copyMemory(from: dy.at(rows.lowerBound * dy.channels), byteCount: part.count * 4)
        return part
      }
    }
  }
}

/// The way back through an int8 layer, the gate and the int8 layer before it together.
struct GatedProductRecord: TapeRecord {
  let gated: GatedGradient
  let weight: PackedWeight

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.using([weight, gated.weight]) {
      gated.inputGradients(on: tape) { rows in
        let part = tape.allocate([rows.count, weight.inputs])
        weight.inputGradient(
          dy.at(rows.lowerBound * dy.channels), rows: rows.count, window: .rows(rows.count, channels: weight.inputs),
          into: part.pointer, pool: tape.pool)
        return part
      }
    }
  }
}
