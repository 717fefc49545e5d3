import Kernels
import Tensors

/// An op that waits for its reader, so that both become one pass over the rows: the norm before an int8 layer is made
/// in the row quantiser, a sum after one in its epilogue, and what is put side by side or doubled is never written.
///
/// Only on a tape in f32. The networks do not see it: they call the same ops either way. An op records its way back
/// when it is called, also where its rows are never made.
protocol DeferredRows {
  var tape: Tape { get }
  /// Writes the rows in f32.
  func fill(_ y: UnsafeMutableRawPointer)
  /// The rows in int8 without making them in f32; nil where there is no such way.
  func quantised() -> [QuantisedRows]?
}

extension DeferredRows {
  func quantised() -> [QuantisedRows]? { nil }
}

extension Tape {
  /// Whether ops may wait for their reader.
  var defers: Bool { dtype == .f32 }
}

// MARK: Norms

/// y = silu(x * scale + shift), or without SiLU: GroupNorm once its statistics are known.
struct AffineRows: DeferredRows {
  let tape: Tape
  /// One activation, or two whose channels lie side by side; scale and shift (B, channels) of each.
  let parts: [Part]
  let silu: Bool
  /// What its way back needs; nil where none leads back.
  let gradient: NormGradient?

  struct Part {
    let x: Activation
    let scale: Activation
    let shift: Activation
  }

  func fill(_ y: UnsafeMutableRawPointer) {
    let widths = parts.map(\.x.channels)
    guard parts.count == 1 else {
      let made = parts.map { part -> Activation in
        let rows = AffineRows(tape: tape, parts: [part], silu: silu, gradient: nil)
        return Activation(shape: part.x.shape, deferred: rows, slot: nil)
      }
      tape.putSideBySide(made, widths, into: y)
      return
    }
    let (x, scale, shift) = (parts[0].x, parts[0].scale, parts[0].shift)
    let (channels, pixels) = (x.channels, x.rows / x.batch)
    let source = x.pointer
    Parallel.forEachUnitRange(x.rows, unit: pixels, channels: channels) { rows in
      let start = rows.lowerBound * channels * 4
      let picture = rows.lowerBound / pixels * channels
      affineRows(
        source + start, rows: rows.count, channels: channels, scale: scale.at(picture), shift: shift.at(picture),
        silu: silu, into: y + start)
    }
  }

  func quantised() -> [QuantisedRows]? {
    guard parts.count == 1 || parts.allSatisfy({ $0.x.channels % 4 == 0 }) else { return nil }
    return parts.map { part in
      QuantisedRows(
        affineOf: part.x.pointer, rows: part.x.rows, channels: part.x.channels, pictures: part.x.batch,
        scale: part.scale.pointer, shift: part.shift.pointer, silu: silu, pool: tape.pool)
    }
  }
}

/// LayerNorm of each row.
struct LayerNormRows: DeferredRows {
  let tape: Tape
  let x: Activation
  let norm: NormParameters
  /// (rows) each, known when the rows are made.
  let mean: Activation
  let rstd: Activation

  func fill(_ y: UnsafeMutableRawPointer) { tape.layerNorm(x, norm, into: y, mean: mean, rstd: rstd) }

  func quantised() -> [QuantisedRows]? {
    [
      QuantisedRows(
        layerNormOf: x.pointer, rows: x.rows, channels: x.channels, eps: norm.eps, gamma: norm.weight.pointer,
        beta: norm.bias.pointer, mean: mean.pointer, rstd: rstd.pointer, pool: tape.pool)
    ]
  }
}

// MARK: Shapes

/// The channels of two activations, row by row.
struct ConcatenatedRows: DeferredRows {
  let tape: Tape
  let a: Activation
  let b: Activation

  func fill(_ y: UnsafeMutableRawPointer) { tape.putSideBySide([a, b], [a.channels, b.channels], into: y) }

  func quantised() -> [QuantisedRows]? {
    guard a.channels % 4 == 0, b.channels % 4 == 0 else { return nil }
    return a.quantised(tape.pool) + b.quantised(tape.pool)
  }
}

/// A picture doubled in height and width by repeating pixels. A convolution reads it through its window.
struct DoubledRows: DeferredRows {
  let tape: Tape
  let x: Activation

  func fill(_ y: UnsafeMutableRawPointer) { tape.upsampleNearest2x(x, into: y) }
}
