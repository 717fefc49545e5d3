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
  /// (panels, taps, depth / 4, 32, 4) bytes, in a buffer or in a file's mapping: what streaming reads ahead and drops.
  public let panels: UnsafeRawBufferPointer
  /// (outputs)
  public let columnScales: UnsafeBufferPointer<Float>
  /// Keeps the memory of both alive.
  private let owner: AnyObject
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
    let shape = Self.panelShape(outputs: outputs, kernel: kernel, inputs: inputs)
    panelStride = shape.dropFirst().reduce(1, *)
    let width = Int(INV_QC8W_NR)
    let depth = panelStride / taps / width
    // The scales stand behind the panels, whose size is a multiple of theirs.
    let panelBytes = shape[0] * panelStride
    let memory = pool.allocate(byteCount: panelBytes + outputs * 4)
    zeros = Self.zeros(depth, pool)
    owner = memory

    let source = weight.pointer.assumingMemoryBound(to: Float.self)
    let scales = (memory.pointer + panelBytes).assumingMemoryBound(to: Float.self)
    panels = UnsafeRawBufferPointer(start: memory.pointer, count: panelBytes)
    columnScales = UnsafeBufferPointer(start: scales, count: outputs)
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
      let start = memory.pointer + tap * depth * width
      inv_qc8w_pack(outputs, inputs, tapWeights, panelStride, start.assumingMemoryBound(to: UInt8.self))
    }
  }

  /// Weights that were packed before, as they are mapped; nothing is copied or touched.
  /// - Parameters:
  ///   - panels: as many bytes as `panelShape` says, at a multiple of 64.
  ///   - scales: f32 (outputs).
  ///   - owner: keeps both alive.
  public init(
    panels: UnsafeRawBufferPointer, scales: UnsafeRawPointer, outputs: Int, kernel: Int, inputs: Int, owner: AnyObject,
    pool: BufferPool
  ) {
    let shape = Self.panelShape(outputs: outputs, kernel: kernel, inputs: inputs)
    precondition(panels.count == shape.reduce(1, *) && UInt(bitPattern: panels.baseAddress) % 64 == 0)
    (self.outputs, self.kernel, self.inputs) = (outputs, kernel, inputs)
    self.panels = panels
    self.owner = owner
    columnScales = UnsafeBufferPointer(start: scales.assumingMemoryBound(to: Float.self), count: outputs)
    panelStride = shape.dropFirst().reduce(1, *)
    zeros = Self.zeros(shape[2] * shape[4], pool)
  }

  /// The name of this packing in model packages: 32 columns a panel, 4 elements of depth together, bytes offset by 128.
  public static let packing = "qc8w-32c4-u8"

  /// Dimensions of the panels: (panels, taps, depth / 4, 32, 4).
  public static func panelShape(outputs: Int, kernel: Int, inputs: Int) -> [Int] {
    let (width, group) = (Int(INV_QC8W_NR), Int(INV_QC8W_KR))
    return [(outputs + width - 1) / width, kernel * kernel, (inputs + group - 1) / group, width, group]
  }

  private static func zeros(_ count: Int, _ pool: BufferPool) -> Buffer {
    let zeros = pool.allocate(byteCount: count)
    zeros.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: count)
    return zeros
  }

  /// output (pictures * positions, outputs) = the window over `rows`, times the weights, plus `bias` (outputs).
  public func product(
    _ rows: QuantisedRows, window: Window, bias: Weight?, into output: UnsafeMutableRawPointer
  ) {
    precondition(rows.channels == inputs && window.kernel == kernel && window.channels == inputs)
    let positions = window.outHeight * window.outWidth
    let total = rows.rows / (window.height * window.width) * positions
    guard let panelStart = panels.baseAddress?.assumingMemoryBound(to: UInt8.self),
      let scaleStart = columnScales.baseAddress
    else { preconditionFailure("a layer has weights") }
    var product = inv_qd8_product(
      kernel: Kernels.kernel, window: window.c, elements: rows.elements.pointer.assumingMemoryBound(to: Int8.self),
      scales: rows.scales.pointer.assumingMemoryBound(to: inv_qd8_row.self), stride: rows.stride,
      zeros: zeros.pointer.assumingMemoryBound(to: Int8.self),
      panels: panelStart, panel_stride: panelStride, outputs: outputs, column_scales: scaleStart,
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
