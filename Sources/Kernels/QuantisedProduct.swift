import CKernels
import Tensors

/// The best int8 microkernel of this machine under the cap of `INVERSION_ISA`.
// Unsafe: a name and a function pointer, constant for the life of the process.
nonisolated(unsafe) private let kernel = firstAllowed(inv_qd8_qc8w_gemm_at) { $0.isa }

/// The name of the int8 microkernel in use.
public var int8KernelName: String { String(cString: kernel.pointee.name) }

/// int8 weights of a linear layer or convolution, one scale per output channel, packed for the microkernels.
public struct PackedWeight: @unchecked Sendable {
  /// Columns of a panel: the outputs that one packing step keeps together.
  public static let panelWidth = Int(INV_QC8W_NR)

  public let outputs: Int
  public let kernel: Int
  public let inputs: Int
  /// (panels, taps, depth / 4, 32, 4) bytes, in a buffer or in a file's mapping: what streaming reads ahead and drops.
  public let panels: UnsafeRawBufferPointer
  /// (outputs)
  public let columnScales: UnsafeBufferPointer<Float>
  /// Keeps the memory of both alive.
  private let owner: AnyObject
  /// Whether the panels are pages of a file, which can be read ahead and let go.
  public let isMapped: Bool
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
    let width = Self.panelWidth
    let depth = panelStride / taps / width
    // The scales stand behind the panels, whose size is a multiple of theirs.
    let panelBytes = shape[0] * panelStride
    let memory = pool.allocate(byteCount: panelBytes + outputs * 4)
    zeros = Self.zeros(depth, pool)
    owner = memory
    isMapped = false

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
    isMapped = true
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

  /// What a product does beside multiplying.
  public struct Epilogue {
    /// (outputs), added to every row.
    public var bias: Weight?
    /// (pictures, outputs), added to the rows of each picture.
    public var rowVectors: UnsafeRawPointer?
    /// (rows, outputs), added.
    public var residual: UnsafeRawPointer?
    /// The first half of the outputs is multiplied by GELU of the second (GEGLU), with this table's kernel.
    public var gate: KernelTable?

    public init(bias: Weight?) { self.bias = bias }
  }

  /// Whether the outputs can be halves that a gate joins: the halves must be whole panels.
  public var canBeGated: Bool { outputs % (2 * Self.panelWidth) == 0 }

  /// output (pictures * positions, outputs, or half of them when gated) = the window over the rows, times the weights,
  /// with all that the epilogue adds.
  ///
  /// - Parameters:
  ///   - parts: rows whose channels lie side by side, each with scales of its own.
  ///   - doubled: whether the window slides over the pictures doubled in height and width.
  public func product(
    _ parts: [QuantisedRows], window: Window, doubled: Bool = false, _ epilogue: Epilogue,
    into output: UnsafeMutableRawPointer
  ) {
    precondition(parts.reduce(0) { $0 + $1.channels } == inputs && window.kernel == kernel && window.channels == inputs)
    precondition((1...Int(INV_QD8_PARTS_MAX)).contains(parts.count))
    precondition(parts.count == 1 || parts.allSatisfy { $0.channels % 4 == 0 })
    let positions = window.outHeight * window.outWidth
    let pixels = window.height * window.width / (doubled ? 4 : 1)
    let total = parts[0].rows / pixels * positions
    guard let panelStart = panels.baseAddress?.assumingMemoryBound(to: UInt8.self),
      let scaleStart = columnScales.baseAddress
    else { preconditionFailure("a layer has weights") }
    var product = inv_qd8_product(
      kernel: Kernels.kernel, window: window.c, parts: parts.count, part: (parts[0].c, parts[parts.count - 1].c),
      doubled: doubled ? 1 : 0, zeros: zeros.pointer.assumingMemoryBound(to: Int8.self),
      panels: panelStart, panel_stride: panelStride, outputs: outputs,
      column_scales: scaleStart,
      bias: epilogue.bias?.pointer.assumingMemoryBound(to: Float.self),
      row_vectors: epilogue.rowVectors?.assumingMemoryBound(to: Float.self),
      residual: epilogue.residual?.assumingMemoryBound(to: Float.self), gate: epilogue.gate?.geglu,
      output: output.assumingMemoryBound(to: Float.self))
    let width = epilogue.gate == nil ? outputs : outputs / 2
    let panelCount = (width + Self.panelWidth - 1) / Self.panelWidth
    let tiles = ProductTiles(rows: total, panels: panelCount, operations: total * outputs * inputs * kernel * kernel)
    withUnsafePointer(to: &product) { product in
      tiles.run { inv_qd8_qc8w_product(product, $0.lowerBound, $0.upperBound, $1.lowerBound, $1.upperBound) }
    }
  }
}

extension PackedWeight {
  /// Multiplications and additions of a product with `rows` input rows.
  public func operations(rows: Int, _ window: Window) -> Int {
    let positions = rows / (window.height * window.width) * window.outHeight * window.outWidth
    return 2 * positions * outputs * inputs * kernel * kernel
  }

  /// The weights that the int8 ones stand for: f32 (outputs, kernel, kernel, inputs).
  public func dequantised(_ pool: BufferPool) -> Weight {
    let (taps, depth) = (kernel * kernel, panelStride / (kernel * kernel) / Self.panelWidth)
    let wide = pool.allocate(byteCount: outputs * taps * inputs * 4)
    let target = wide.pointer.assumingMemoryBound(to: Float.self)
    for output in 0..<outputs {
      let (panel, column) = (output / Self.panelWidth * panelStride, output % Self.panelWidth)
      for tap in 0..<taps {
        for input in 0..<inputs {
          let group = (tap * depth + input / 4 * 4) * Self.panelWidth
          let byte = panels[panel + group + column * 4 + input % 4]
          target[(output * taps + tap) * inputs + input] = Float(Int(byte) - 128) * columnScales[output]
        }
      }
    }
    return Weight(
      pointer: wide.pointer, dtype: .f32, shape: [outputs, kernel, kernel, inputs], owner: wide)
  }

  /// The way back: dx (pictures * pixels, inputs) from dy (pictures * positions, outputs), both f32. dy is scaled by
  /// the weights' scales and quantised a row; the weights are transposed a panel at a time. `residual`, rows like dx,
  /// is added.
  public func inputGradient(
    _ dy: UnsafeRawPointer, rows: Int, window: Window, adding residual: UnsafeRawPointer? = nil,
    into dx: UnsafeMutableRawPointer, pool: BufferPool
  ) {
    precondition(window.kernel == kernel && window.channels == inputs)
    let zeros = Self.zeros((outputs + 3) / 4 * 4 * 4, pool)
    guard let panelStart = panels.baseAddress?.assumingMemoryBound(to: UInt8.self),
      let scales = columnScales.baseAddress
    else { preconditionFailure("a layer has weights") }
    let quantised = QuantisedRows(
      affineOf: dy, rows: rows, channels: outputs, pictures: 1, scale: scales, shift: zeros.pointer, silu: false,
      pool: pool)
    var gradient = inv_qd8_input_gradient(
      kernel: Kernels.kernel, window: window.c, outputs: outputs, dy: quantised.c,
      zeros: zeros.pointer.assumingMemoryBound(to: Int8.self), panels: panelStart, panel_stride: panelStride,
      dx: dx.assumingMemoryBound(to: Float.self), residual: residual?.assumingMemoryBound(to: Float.self))
    let total = rows / (window.outHeight * window.outWidth) * window.height * window.width
    let bytes = inv_qd8_transposed_bytes(&gradient)
    let panelCount = (inputs + Self.panelWidth - 1) / Self.panelWidth
    // Of the rows, only pointers are in use while they are read.
    withExtendedLifetime((quantised, zeros)) {
      withUnsafePointer(to: &gradient) { gradient in
        Parallel.forEach(panelCount) { panel in
          let transposed = pool.allocate(byteCount: bytes)
          inv_qd8_qc8w_input_gradient(
            gradient, 0, total, panel, transposed.pointer.assumingMemoryBound(to: UInt8.self))
        }
      }
    }
  }
}

/// How a product is cut for threads: by its shape alone, so that the result does not depend on how many there are.
private struct ProductTiles {
  let rows: Int
  let panels: Int
  private let rowPieces: Int
  private let panelPieces: Int

  /// Along the rows where there are many, since then a piece's rows stay in cache; the rest along the panels. Not at
  /// all where a thread's start would cost more than it saves.
  init(rows: Int, panels: Int, operations: Int) {
    self.rows = rows
    self.panels = panels
    let smallestWorthCutting = 1_000_000
    // Enough for several threads to end at about the same time.
    let pieces = 16
    guard operations >= smallestWorthCutting else {
      (rowPieces, panelPieces) = (1, 1)
      return
    }
    let rowsWorthAPiece = 192
    rowPieces = max(1, min(pieces, rows / rowsWorthAPiece))
    panelPieces = min(panels, (pieces + rowPieces - 1) / rowPieces)
  }

  func run(_ body: (Range<Int>, Range<Int>) -> Void) {
    // Whole tiles of rows, or nearly: the microkernels take up to 12.
    let step = 12
    let steps = (rows + step - 1) / step
    Parallel.forEach(rowPieces * panelPieces) { piece in
      let (row, panel) = (piece / panelPieces, piece % panelPieces)
      body(
        min(rows, steps * row / rowPieces * step)..<min(rows, steps * (row + 1) / rowPieces * step),
        panels * panel / panelPieces..<panels * (panel + 1) / panelPieces)
    }
  }
}
