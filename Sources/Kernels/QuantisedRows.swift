import CKernels
import Tensors

// Unsafe: a table of function pointers, constant for the life of the process.
nonisolated(unsafe) private let table = inv_quantise_kernels_at(inv_isa(activeInstructionSet.rawValue))

/// Rows of int8 activations, each with a scale of its own.
public struct QuantisedRows {
  private let elements: Buffer
  private let scales: Buffer
  /// Bytes from row to row: the channels rounded up to 4.
  private let stride: Int
  /// The row where a view of the buffers begins.
  private let first: Int
  public let rows: Int
  public let channels: Int

  /// Quantises (rows, channels) of f32.
  public init(_ x: UnsafeRawPointer, rows: Int, channels: Int, pool: BufferPool) {
    self.init(rows: rows, channels: channels, pool: pool) { range, _, target in
      table.pointee.quantise_rows(
        range.count, channels, floats(x, range.lowerBound * channels), target.stride, target.elements, target.scales)
    }
  }

  /// Quantises y = silu(x * scale + shift), or without SiLU: scale and shift (pictures, channels) for x
  /// (pictures * pixels, channels).
  public init(
    affineOf x: UnsafeRawPointer, rows: Int, channels: Int, pictures: Int, scale: UnsafeRawPointer,
    shift: UnsafeRawPointer, silu: Bool, pool: BufferPool
  ) {
    let pixels = rows / pictures
    self.init(rows: rows, channels: channels, alignedTo: pixels, pool: pool) { range, scratch, target in
      let picture = range.lowerBound / pixels * channels
      table.pointee.affine_quantise_rows(
        range.count, channels, silu ? 1 : 0, floats(x, range.lowerBound * channels), floats(scale, picture),
        floats(shift, picture), scratch, target.stride, target.elements, target.scales)
    }
  }

  /// Quantises the LayerNorm of each row; gamma and beta (channels). Writes mean and rstd (rows).
  public init(
    layerNormOf x: UnsafeRawPointer, rows: Int, channels: Int, eps: Double, gamma: UnsafeRawPointer,
    beta: UnsafeRawPointer, mean: UnsafeMutableRawPointer, rstd: UnsafeMutableRawPointer, pool: BufferPool
  ) {
    let (mean, rstd) = (mean.assumingMemoryBound(to: Float.self), rstd.assumingMemoryBound(to: Float.self))
    self.init(rows: rows, channels: channels, pool: pool) { range, scratch, target in
      table.pointee.layer_norm_quantise_rows(
        range.count, channels, eps, floats(x, range.lowerBound * channels), floats(gamma, 0), floats(beta, 0), scratch,
        mean + range.lowerBound, rstd + range.lowerBound, target.stride, target.elements, target.scales)
    }
  }

  /// Writes what the rows stand for, (rows, channels) of f32.
  public func dequantise(into y: UnsafeMutableRawPointer) {
    Parallel.forEachUnitRange(rows, unit: rows, channels: channels) { range in
      dequantise(range, into: y + range.lowerBound * channels * 4)
    }
  }

  /// Some of them, on the calling thread: (range.count, channels) of f32.
  public func dequantise(_ range: Range<Int>, into y: UnsafeMutableRawPointer) {
    let source = c
    table.pointee.dequantise_rows(
      range.count, channels, stride, source.elements + range.lowerBound * stride, source.scales + range.lowerBound,
      y.assumingMemoryBound(to: Float.self))
  }

  /// Where a piece of the rows goes.
  private struct Target {
    let stride: Int
    let elements: UnsafeMutablePointer<Int8>
    let scales: UnsafeMutablePointer<inv_qd8_row>
  }

  /// Fills pieces of rows on several threads; none crosses a multiple of `alignedTo` rows.
  private init(
    rows: Int, channels: Int, alignedTo unit: Int? = nil, pool: BufferPool,
    _ fill: (Range<Int>, UnsafeMutablePointer<Float>, Target) -> Void
  ) {
    let stride = (channels + 3) / 4 * 4
    let elements = pool.allocate(byteCount: rows * stride)
    let scales = pool.allocate(byteCount: rows * MemoryLayout<inv_qd8_row>.stride)
    Parallel.forEachUnitRange(rows, unit: unit ?? rows, channels: channels) { range in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: channels) { scratch in
        guard let scratch = scratch.baseAddress else { return }
        fill(
          range, scratch,
          Target(
            stride: stride,
            elements: (elements.pointer + range.lowerBound * stride).assumingMemoryBound(to: Int8.self),
            scales: scales.pointer.assumingMemoryBound(to: inv_qd8_row.self) + range.lowerBound))
      }
    }
    self.init(elements: elements, scales: scales, first: 0, stride: stride, rows: rows, channels: channels)
  }

  private init(elements: Buffer, scales: Buffer, first: Int, stride: Int, rows: Int, channels: Int) {
    self.elements = elements
    self.scales = scales
    self.first = first
    self.stride = stride
    self.rows = rows
    self.channels = channels
  }

  /// Some of the rows, in the same memory.
  public subscript(range: Range<Int>) -> QuantisedRows {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return QuantisedRows(
      elements: elements, scales: scales, first: first + range.lowerBound, stride: stride, rows: range.count,
      channels: channels)
  }

  var c: inv_qd8_rows {
    inv_qd8_rows(
      elements: (elements.pointer + first * stride).assumingMemoryBound(to: Int8.self),
      scales: scales.pointer.assumingMemoryBound(to: inv_qd8_row.self) + first, stride: stride)
  }
}

/// Sums over rows of a picture's channels, from which GroupNorm's statistics come.
public enum ChannelMoments {
  /// Adds to `sum` and `squares` (channels) those of x - origin over (rows, channels).
  public static func add(
    _ x: UnsafeRawPointer, rows: Int, channels: Int, origin: UnsafeRawPointer,
    sum: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>
  ) {
    table.pointee.channel_moments(rows, channels, floats(x, 0), floats(origin, 0), sum, squares)
  }
}

/// y = silu(x * scale + shift), or without SiLU, per channel of (rows, channels).
public func affineRows(
  _ x: UnsafeRawPointer, rows: Int, channels: Int, scale: UnsafeRawPointer, shift: UnsafeRawPointer, silu: Bool,
  into y: UnsafeMutableRawPointer
) {
  table.pointee.affine_rows(
    rows, channels, silu ? 1 : 0, floats(x, 0), floats(scale, 0), floats(shift, 0),
    y.assumingMemoryBound(to: Float.self))
}

/// The way back through `affineRows` where scale and shift follow from x, as a norm's do: see quantise.inc.
public struct AffineGradient {
  public let channels: Int
  public let silu: Bool
  /// (channels) each, those of one picture.
  public let scale: UnsafeRawPointer
  public let shift: UnsafeRawPointer
  /// Elements from row to row of dy.
  public let stride: Int

  public init(channels: Int, silu: Bool, scale: UnsafeRawPointer, shift: UnsafeRawPointer, stride: Int) {
    (self.channels, self.silu, self.scale, self.shift, self.stride) = (channels, silu, scale, shift, stride)
  }

  /// Adds to `sum` and `dot` (channels) those of the slopes and of the slopes times x - origin.
  public func addSums(
    _ dy: UnsafeRawPointer, _ x: UnsafeRawPointer, rows: Int, origin: UnsafeRawPointer,
    sum: UnsafeMutablePointer<Double>, dot: UnsafeMutablePointer<Double>
  ) {
    table.pointee.affine_gradient_sums(
      rows, channels, silu ? 1 : 0, floats(x, 0), floats(scale, 0), floats(shift, 0), stride, floats(dy, 0),
      floats(origin, 0), sum, dot)
  }

  /// dx = slope * map[0] + x * map[1] + map[2], map (3, channels), plus `old` (rows, channels).
  public func inputGradient(
    _ dy: UnsafeRawPointer, _ x: UnsafeRawPointer, rows: Int, map: UnsafeRawPointer, adding old: UnsafeRawPointer?,
    into dx: UnsafeMutableRawPointer
  ) {
    table.pointee.affine_input_gradient(
      rows, channels, silu ? 1 : 0, floats(x, 0), floats(scale, 0), floats(shift, 0), stride, floats(dy, 0),
      floats(map, 0), floats(map, channels), floats(map, 2 * channels), old.map { floats($0, 0) },
      dx.assumingMemoryBound(to: Float.self))
  }
}

private func floats(_ pointer: UnsafeRawPointer, _ offset: Int) -> UnsafePointer<Float> {
  pointer.assumingMemoryBound(to: Float.self) + offset
}
