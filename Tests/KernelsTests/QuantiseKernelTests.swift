import CKernels
import Glibc
import Kernels
import Testing

/// Every line of quantise.inc, on every instruction set of this machine, against plain f64, with a guard page after
/// each buffer.
@Suite struct QuantiseKernelTests {
  private static let widths = [1, 3, 15, 16, 17, 64, 100, 513, 1030]
  private static let rows = 37

  private static var tables: [(name: String, table: inv_quantise_kernels)] {
    InstructionSet.available.map { ("\($0)", inv_quantise_kernels_at(inv_isa($0.rawValue)).pointee) }
  }

  private static func numbers(_ count: Int, _ range: ClosedRange<Float> = -4...4) -> [Float] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in Float.random(in: range, using: &generator) }
  }

  private func floats(_ buffer: GuardedBuffer) -> UnsafeMutablePointer<Float> {
    buffer.pointer.assumingMemoryBound(to: Float.self)
  }

  /// int8 rows and what made them: dequantised they must lie within half a step of `expected`.
  private final class Rows {
    let q: GuardedBuffer
    let stride: Int
    var scales = [inv_qd8_row](repeating: inv_qd8_row(scale: -1, sum: 99), count: rows)

    init(_ width: Int) {
      stride = (width + 3) / 4 * 4
      q = GuardedBuffer(byteCount: rows * stride)
    }

    var elements: UnsafeMutablePointer<Int8> { q.pointer.assumingMemoryBound(to: Int8.self) }

    func check(_ expected: [Double], _ width: Int, _ label: String) {
      for row in 0..<rows {
        let values = (0..<stride).map { Int(elements[row * stride + $0]) }
        let wanted = expected[row * width..<(row + 1) * width]
        let step = (wanted.map(abs).max() ?? 0) / 127
        #expect(abs(Double(scales[row].scale) - step) <= 1e-5 * step, "\(label): scale of row \(row)")
        #expect(Int(scales[row].sum) == values.reduce(0, +), "\(label): sum of row \(row)")
        #expect(values[width...].allSatisfy { $0 == 0 }, "\(label): padding of row \(row)")
        let worst = zip(values, wanted).map { abs(Double($0) * step - $1) }.max() ?? 0
        #expect(worst <= 0.501 * step, "\(label): row \(row) off by \(worst / step) steps")
      }
    }
  }

  @Test func everyKernelIsTestedHere() {
    let tested = [
      "quantise_rows", "dequantise_rows", "channel_moments", "affine_rows", "affine_quantise_rows",
      "layer_norm_quantise_rows",
    ]
    var names: [String] = []
    while let name = inv_quantise_kernel_name(names.count) { names.append(String(cString: name)) }
    #expect(names == tested)
  }

  @Test(arguments: widths) func quantisedRows(width: Int) {
    let values = Self.numbers(Self.rows * width)
    let x = GuardedBuffer(values)
    for (name, table) in Self.tables {
      let rows = Rows(width)
      table.quantise_rows(Self.rows, width, floats(x), rows.stride, rows.elements, &rows.scales)
      rows.check(values.map(Double.init), width, "\(name), \(width)")
    }
  }

  @Test(arguments: widths) func whatRowsStandFor(width: Int) {
    let values = Self.numbers(Self.rows * width)
    let rows = Rows(width)
    let scalar = inv_quantise_kernels_at(INV_ISA_scalar).pointee
    scalar.quantise_rows(Self.rows, width, values, rows.stride, rows.elements, &rows.scales)
    for (name, table) in Self.tables {
      let y = GuardedBuffer(byteCount: Self.rows * width * 4)
      table.dequantise_rows(Self.rows, width, rows.stride, rows.elements, rows.scales, floats(y))
      let expected = (0..<Self.rows * width).map { index in
        rows.scales[index / width].scale * Float(rows.elements[index / width * rows.stride + index % width])
      }
      #expect(y.floats == expected, "\(name), \(width)")
    }
  }

  @Test func notANumberShows() {
    for (name, table) in Self.tables {
      let rows = Rows(20)
      var values = Self.numbers(Self.rows * 20)
      values[25] = .nan
      table.quantise_rows(Self.rows, 20, values, rows.stride, rows.elements, &rows.scales)
      #expect(rows.scales[1].scale.isNaN && rows.scales[0].scale.isFinite, "\(name)")
    }
  }

  @Test(arguments: widths) func moments(width: Int) {
    let values = Self.numbers(Self.rows * width, 999...1001)
    let (x, origin) = (GuardedBuffer(values), GuardedBuffer(Array(values.prefix(width))))
    for (name, table) in Self.tables {
      let sums = (
        sum: GuardedBuffer([Double](repeating: 1, count: width)),
        squares: GuardedBuffer([Double](repeating: 2, count: width))
      )
      table.channel_moments(
        Self.rows, width, floats(x), floats(origin), sums.sum.pointer.assumingMemoryBound(to: Double.self),
        sums.squares.pointer.assumingMemoryBound(to: Double.self))
      for channel in 0..<width {
        let distances = (0..<Self.rows).map { Double(values[$0 * width + channel]) - Double(values[channel]) }
        let wanted = (1 + distances.reduce(0, +), 2 + distances.reduce(0) { $0 + $1 * $1 })
        #expect(abs(sums.sum.doubles[channel] - wanted.0) < 1e-3, "\(name): sum of channel \(channel)")
        #expect(abs(sums.squares.doubles[channel] - wanted.1) < 1e-3, "\(name): squares of channel \(channel)")
      }
    }
  }

  @Test(arguments: widths, [false, true]) func affine(width: Int, silu: Bool) {
    let (values, scales, shifts) = (Self.numbers(Self.rows * width), Self.numbers(width), Self.numbers(width))
    let expected = values.indices.map { index -> Double in
      let v = Double(values[index]) * Double(scales[index % width]) + Double(shifts[index % width])
      return silu ? v / (1 + exp(-v)) : v
    }
    let (x, scale, shift) = (GuardedBuffer(values), GuardedBuffer(scales), GuardedBuffer(shifts))
    for (name, table) in Self.tables {
      let y = GuardedBuffer(byteCount: Self.rows * width * 4)
      table.affine_rows(Self.rows, width, silu ? 1 : 0, floats(x), floats(scale), floats(shift), floats(y))
      let worst = zip(y.floats, expected).map { abs(Double($0) - $1) }.max() ?? 0
      #expect(worst <= 1e-5, "\(name), \(width): off by \(worst)")
      let (rows, scratch) = (Rows(width), GuardedBuffer(byteCount: width * 4))
      table.affine_quantise_rows(
        Self.rows, width, silu ? 1 : 0, floats(x), floats(scale), floats(shift), floats(scratch), rows.stride,
        rows.elements, &rows.scales)
      rows.check(expected, width, "\(name), \(width), silu \(silu)")
    }
  }

  @Test(arguments: widths) func layerNorm(width: Int) {
    let (values, gammas, betas) = (Self.numbers(Self.rows * width), Self.numbers(width), Self.numbers(width))
    let eps = 1e-5
    let expected = values.indices.map { index -> Double in
      let row = values[index / width * width..<(index / width + 1) * width].map(Double.init)
      let mean = row.reduce(0, +) / Double(width)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
      let normal = (Double(values[index]) - mean) / (variance + eps).squareRoot()
      return normal * Double(gammas[index % width]) + Double(betas[index % width])
    }
    let (x, gamma, beta) = (GuardedBuffer(values), GuardedBuffer(gammas), GuardedBuffer(betas))
    for (name, table) in Self.tables {
      let (rows, scratch) = (Rows(width), GuardedBuffer(byteCount: width * 4))
      table.layer_norm_quantise_rows(
        Self.rows, width, eps, floats(x), floats(gamma), floats(beta), floats(scratch), rows.stride, rows.elements,
        &rows.scales)
      rows.check(expected, width, "\(name), \(width)")
    }
  }
}
