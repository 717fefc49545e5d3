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
      "affine_gradient_sums", "affine_input_gradient", "layer_norm_quantise_rows",
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

  @Test(arguments: widths, [false, true]) func affineGradient(width: Int, silu: Bool) {
    let stride = width + 3
    let (values, slopes) = (Self.numbers(Self.rows * width), Self.numbers(Self.rows * stride))
    let vectors = (0..<6).map { _ in Self.numbers(width) }
    let old = Self.numbers(Self.rows * width)
    let g = values.indices.map { index -> Double in
      let (row, c) = (index / width, index % width)
      let dy = Double(slopes[row * stride + c])
      let v = Double(values[index]) * Double(vectors[0][c]) + Double(vectors[1][c])
      let s = 1 / (1 + exp(-v))
      return silu ? dy * s * (1 + v * (1 - s)) : dy
    }
    let (x, residual) = (GuardedBuffer(values), GuardedBuffer(old))
    let dy = GuardedBuffer(Array(slopes.dropLast(stride - width)))
    let buffers = vectors.map { GuardedBuffer($0) }
    for (name, table) in Self.tables {
      let sums = (
        sum: GuardedBuffer([Double](repeating: 1, count: width)),
        dot: GuardedBuffer([Double](repeating: 2, count: width))
      )
      table.affine_gradient_sums(
        Self.rows, width, silu ? 1 : 0, floats(x), floats(buffers[0]), floats(buffers[1]), stride, floats(dy),
        floats(buffers[2]), sums.sum.pointer.assumingMemoryBound(to: Double.self),
        sums.dot.pointer.assumingMemoryBound(to: Double.self))
      for c in 0..<width {
        let column = (0..<Self.rows).map { $0 * width + c }
        let sum = column.reduce(1) { $0 + g[$1] }
        let dot = column.reduce(2) { $0 + g[$1] * (Double(values[$1]) - Double(vectors[2][c])) }
        #expect(abs(sums.sum.doubles[c] - sum) < 1e-3 && abs(sums.dot.doubles[c] - dot) < 4e-3, "\(name), \(c)")
      }
      for isAdded in [false, true] {
        let dx = GuardedBuffer(byteCount: Self.rows * width * 4)
        table.affine_input_gradient(
          Self.rows, width, silu ? 1 : 0, floats(x), floats(buffers[0]), floats(buffers[1]), stride, floats(dy),
          floats(buffers[3]), floats(buffers[4]), floats(buffers[5]), isAdded ? floats(residual) : nil, floats(dx))
        let expected = values.indices.map { index -> Double in
          let (c, added) = (index % width, isAdded ? Double(old[index]) : 0)
          let map = vectors[3...5].map { Double($0[c]) }
          return g[index] * map[0] + Double(values[index]) * map[1] + map[2] + added
        }
        let worst = zip(dx.floats, expected).map { abs(Double($0) - $1) }.max() ?? 0
        #expect(worst <= 1e-4, "\(name), \(width), silu \(silu): off by \(worst)")
      }
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
      let (mean, rstd) = (GuardedBuffer(byteCount: Self.rows * 4), GuardedBuffer(byteCount: Self.rows * 4))
      table.layer_norm_quantise_rows(
        Self.rows, width, eps, floats(x), floats(gamma), floats(beta), floats(scratch), floats(mean), floats(rstd),
        rows.stride, rows.elements, &rows.scales)
      rows.check(expected, width, "\(name), \(width)")
      let normal = zip(mean.floats, rstd.floats).enumerated().map { row, of in
        (Double(values[row * width]) - Double(of.0)) * Double(of.1)
      }
      for (row, normal) in normal.enumerated() {
        let first = normal * Double(gammas[0]) + Double(betas[0])
        #expect(abs(first - expected[row * width]) <= 1e-4 * max(1, abs(first)), "\(name): statistics of row \(row)")
      }
    }
  }
}
