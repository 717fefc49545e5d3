import CKernels
import Tensors

/// The best int8 microkernel of this machine under the cap of `INVERSION_ISA`.
// Unsafe: a name and a function pointer, constant for the life of the process.
nonisolated(unsafe) private let kernel = firstAllowed(inv_qd8_qc8w_gemm_at) { $0.isa }

/// The name of the int8 microkernel in use.
public var int8KernelName: String { String(cString: kernel.pointee.name) }

/// Rows of int8 activations, each with a scale of its own.
public struct QuantisedRows {
  let elements: Buffer
  let scales: Buffer
  /// Bytes from row to row: the channels rounded up to 4.
  let stride: Int
  public let rows: Int
  public let channels: Int

  /// Quantises (rows, channels) of f32.
  public init(_ x: UnsafeRawPointer, rows: Int, channels: Int, pool: BufferPool) {
    let stride = (channels + 3) / 4 * 4
    elements = pool.allocate(byteCount: rows * stride)
    scales = pool.allocate(byteCount: rows * MemoryLayout<inv_qd8_row>.stride)
    self.stride = stride
    self.rows = rows
    self.channels = channels
    let source = x.assumingMemoryBound(to: Float.self)
    let target = elements.pointer.assumingMemoryBound(to: Int8.self)
    let rowScales = scales.pointer.assumingMemoryBound(to: inv_qd8_row.self)
    Parallel.forEachRange(rows, grain: max(64, rows / 8)) { range in
      let first = range.lowerBound
      inv_qd8_quantise_rows(
        range.count, channels, source + first * channels, stride, target + first * stride, rowScales + first)
    }
  }
}

/// int8 weights of a linear layer or convolution, one scale per output channel, packed for the microkernels.
public struct PackedWeight: @unchecked Sendable {
  public let outputs: Int
  public let kernel: Int
  public let inputs: Int
  private let panels: Buffer
  private let columnScales: Buffer
  /// What a window sees outside a picture.
  private let zeros: Buffer
  private let panelStride: Int

  /// Quantises (outputs, kernel, kernel, inputs) of f32 symmetrically to -127...127, by each output's largest weight.
  public init(_ weight: Weight, pool: BufferPool) {
    precondition(weight.dtype == .f32 && [2, 4].contains(weight.shape.count))
    outputs = weight.shape[0]
    kernel = weight.shape.count == 4 ? weight.shape[1] : 1
    inputs = weight.shape[weight.shape.count - 1]
    let taps = kernel * kernel
    let depth = (inputs + 3) / 4 * 4
    let width = Int(INV_QC8W_NR)
    panelStride = taps * depth * width
    panels = pool.allocate(byteCount: (outputs + width - 1) / width * panelStride)
    columnScales = pool.allocate(byteCount: outputs * 4)
    zeros = pool.allocate(byteCount: depth)
    zeros.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: depth)

    let source = weight.pointer.assumingMemoryBound(to: Float.self)
    let scales = columnScales.pointer.assumingMemoryBound(to: Float.self)
    for output in 0..<outputs {
      let row = UnsafeBufferPointer(start: source + output * taps * inputs, count: taps * inputs)
      scales[output] = row.reduce(0) { max($0, abs($1)) } / 127
    }
    var tapWeights = [Int8](repeating: 0, count: outputs * inputs)
    for tap in 0..<taps {
      for output in 0..<outputs {
        let inverse = scales[output] > 0 ? 1 / scales[output] : 0
        for input in 0..<inputs {
          let value = source[(output * taps + tap) * inputs + input] * inverse
          tapWeights[output * inputs + input] = Int8(value.rounded(.toNearestOrEven))
        }
      }
      let start = panels.pointer + tap * depth * width
      inv_qc8w_pack(outputs, inputs, tapWeights, panelStride, start.assumingMemoryBound(to: UInt8.self))
    }
  }

  /// output (pictures * positions, outputs) = the window over `rows`, times the weights, plus `bias` (outputs).
  public func product(
    _ rows: QuantisedRows, window: Window, bias: Weight?, into output: UnsafeMutableRawPointer
  ) {
    precondition(rows.channels == inputs && window.kernel == kernel && window.channels == inputs)
    let positions = window.outHeight * window.outWidth
    let total = rows.rows / (window.height * window.width) * positions
    var product = inv_qd8_product(
      kernel: Kernels.kernel, window: window.c, elements: rows.elements.pointer.assumingMemoryBound(to: Int8.self),
      scales: rows.scales.pointer.assumingMemoryBound(to: inv_qd8_row.self), stride: rows.stride,
      zeros: zeros.pointer.assumingMemoryBound(to: Int8.self),
      panels: panels.pointer.assumingMemoryBound(to: UInt8.self), panel_stride: panelStride, outputs: outputs,
      column_scales: columnScales.pointer.assumingMemoryBound(to: Float.self),
      bias: bias?.pointer.assumingMemoryBound(to: Float.self), output: output.assumingMemoryBound(to: Float.self))
    let width = Int(INV_QC8W_NR)
    let panelCount = (outputs + width - 1) / width
    withUnsafePointer(to: &product) { product in
      Self.forEachTile(rows: total, panels: panelCount, operations: total * outputs * inputs * kernel * kernel) {
        inv_qd8_qc8w_product(product, $0.lowerBound, $0.upperBound, $1.lowerBound, $1.upperBound)
      }
    }
  }

  /// Cuts along the rows where there are enough, else along the panels; not at all where a thread's start would cost
  /// more than it saves. By shape alone.
  private static func forEachTile(
    rows: Int, panels: Int, operations: Int, _ body: (Range<Int>, Range<Int>) -> Void
  ) {
    let smallestWorthCutting = 1_000_000
    if operations < smallestWorthCutting {
      body(0..<rows, 0..<panels)
    } else if rows >= 96 {
      Parallel.forEachRange(rows, grain: max(48, rows / 8)) { body($0, 0..<panels) }
    } else {
      Parallel.forEachRange(panels, grain: max(1, panels / 4)) { body(0..<rows, $0) }
    }
  }
}
