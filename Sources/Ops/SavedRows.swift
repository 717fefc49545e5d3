import Kernels

/// A value that a record keeps for the way back: as it was, or in int8 where the tape saves memory. In int8 by groups
/// of a few hundred elements it costs the gradient nothing that shows beside that of int8 layers.
enum SavedRows {
  case exact(Activation)
  case int8(QuantisedRows, shape: [Int])

  init(_ x: Activation, on tape: Tape) {
    _ = x.buffer
    guard SavedRows.isInt8(x, on: tape) else {
      self = .exact(x)
      return
    }
    let group = SavedRows.group(x.channels)
    self = .int8(
      QuantisedRows(x.pointer, rows: x.count / group, channels: group, pool: tape.pool), shape: x.shape)
  }

  /// Whether a value like x is kept in int8.
  static func isInt8(_ x: Activation, on tape: Tape) -> Bool {
    tape.savesInt8 && tape.dtype == .f32 && x.count >= worthwhile
  }

  /// The shape of the value.
  var shape: [Int] {
    switch self {
    case .exact(let x): x.shape
    case .int8(_, let shape): shape
    }
  }

  /// Calls `body` with f32 rows of the value, a few at a time so that they stay in cache.
  func forEachRun(_ rows: Range<Int>, on tape: Tape, _ body: (Range<Int>, UnsafeRawPointer) -> Void) {
    let channels = shape[shape.count - 1]
    switch self {
    case .exact(let x): body(rows, x.at(rows.lowerBound * channels))
    case .int8(let saved, _):
      let groups = channels / saved.channels
      let atOnce = max(1, SavedRows.elementsAtOnce / channels)
      let scratch = tape.pool.allocate(byteCount: min(atOnce, rows.count) * channels * 4)
      for first in stride(from: rows.lowerBound, to: rows.upperBound, by: atOnce) {
        let run = first..<min(first + atOnce, rows.upperBound)
        saved.dequantise(run.lowerBound * groups..<run.upperBound * groups, into: scratch.pointer)
        withExtendedLifetime(scratch) { body(run, scratch.pointer) }
      }
    }
  }

  /// What fits a first-level cache beside the values that it is computed with.
  private static let elementsAtOnce = 4096

  /// The value again.
  func restored(on tape: Tape) -> Activation {
    switch self {
    case .exact(let x): return x
    case .int8(let rows, let shape):
      let x = tape.allocate(shape)
      rows.dequantise(into: x.pointer)
      return x
    }
  }

  /// Elements under which there is nothing to win.
  private static let worthwhile = 4096

  /// The largest part of a row, at most 512 elements, that divides it.
  private static func group(_ channels: Int) -> Int {
    let largest = 512
    return (1...).lazy.map { channels / $0 }.first { $0 <= largest && channels % $0 == 0 } ?? channels
  }
}
