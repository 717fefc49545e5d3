import Kernels

/// A value that a record keeps for the way back: as it was, or in int8 where the tape saves memory. In int8 by groups
/// of a few hundred elements it costs the gradient nothing that shows beside that of int8 layers.
enum SavedRows {
  case exact(Activation)
  case int8(QuantisedRows, shape: [Int])

  init(_ x: Activation, on tape: Tape) {
    guard tape.savesInt8, tape.dtype == .f32, x.count >= SavedRows.worthwhile else {
      self = .exact(x)
      return
    }
    let group = SavedRows.group(x.channels)
    self = .int8(
      QuantisedRows(x.pointer, rows: x.count / group, channels: group, pool: tape.pool), shape: x.shape)
  }

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
