import CKernels
import Foundation
import Testing

/// Every int8 microkernel of this machine against exact integer sums, at tile edges, at the ends of the ranges, with a
/// guard page after each buffer.
@Suite struct QuantisedProductTests {
  /// A product with one or several segments, its operands quantised and packed, and its exact result.
  final class Problem {
    let rows: Int
    let columns: Int
    let depths: [Int]
    let stride: Int
    /// [segment]: (rows, padded depth)
    let elements: [GuardedBuffer]
    let scales: [[inv_qd8_row]]
    let panel: GuardedBuffer
    let columnScales: GuardedBuffer
    let bias: GuardedBuffer?
    /// A vector for each row, and rows that lie as the output does; both or neither.
    let rowVectors: GuardedBuffer?
    let residual: GuardedBuffer?
    let expected: [Double]

    init(rows: Int, columns: Int, depths: [Int], hasBias: Bool, adds: Bool = false, extreme: Bool = false) {
      var numbers = SystemRandomNumberGenerator()
      self.rows = rows
      self.columns = columns
      self.depths = depths.map { ($0 + 3) / 4 * 4 }
      stride = columns + 5
      var weights: [[Int8]] = []
      var quantised: [GuardedBuffer] = []
      var scales: [[inv_qd8_row]] = []
      let panel = GuardedBuffer(byteCount: self.depths.reduce(0, +) * 32)
      var offset = 0
      for (depth, padded) in zip(depths, self.depths) {
        let x = GuardedBuffer(
          (0..<rows * depth).map { _ in extreme ? Float(-1) : Float.random(in: -3...3, using: &numbers) })
        let q = GuardedBuffer(byteCount: rows * padded)
        var rowScales = [inv_qd8_row](repeating: inv_qd8_row(), count: rows)
        inv_quantise_kernels_at(INV_ISA_scalar).pointee.quantise_rows(
          rows, depth, x.pointer.assumingMemoryBound(to: Float.self), padded,
          q.pointer.assumingMemoryBound(to: Int8.self), &rowScales)
        let w = (0..<columns * depth).map { _ in extreme ? Int8(-128) : Int8.random(in: -127...127, using: &numbers) }
        inv_qc8w_pack(columns, depth, w, padded * 32, (panel.pointer + offset).assumingMemoryBound(to: UInt8.self))
        offset += padded * 32
        quantised.append(q)
        scales.append(rowScales)
        weights.append(w)
      }
      let columnScales = (0..<columns).map { Float($0 % 5 + 1) / 100 }
      let bias = (0..<columns).map { Float($0) }
      self.panel = panel
      self.columnScales = GuardedBuffer(columnScales)
      self.bias = hasBias ? GuardedBuffer(bias) : nil
      let vectors = (0..<rows * columns).map { Float($0 % 11) / 4 }
      let stride = stride
      let residual = (0..<(rows - 1) * stride + columns).map { Float($0 % 13) / 8 }
      rowVectors = adds ? GuardedBuffer(vectors) : nil
      self.residual = adds ? GuardedBuffer(residual) : nil
      self.scales = scales
      elements = quantised
      expected = (0..<rows * columns).map { index in
        let (row, column) = (index / columns, index % columns)
        var sum = 0.0
        for (segment, depth) in depths.enumerated() {
          let q = quantised[segment].pointer.assumingMemoryBound(to: Int8.self) + row * ((depth + 3) / 4 * 4)
          var dot = 0
          for k in 0..<depth { dot += Int(q[k]) * Int(weights[segment][column * depth + k]) }
          sum += Double(dot) * Double(scales[segment][row].scale)
        }
        let added = adds ? Double(vectors[index] + residual[row * stride + column]) : 0
        return sum * Double(columnScales[column]) + (hasBias ? Double(bias[column]) : 0) + added
      }
    }

    /// What `kernel` makes of it, and whether it left alone what lies between the rows of the output.
    func run(_ kernel: inv_qd8_qc8w_gemm) -> (values: [Double], cleanGaps: Bool) {
      let output = GuardedBuffer([Float](repeating: -7, count: (rows - 1) * stride + columns))
      let out = output.pointer.assumingMemoryBound(to: Float.self)
      var pinned = scales
      for first in Swift.stride(from: 0, to: rows, by: kernel.mr) {
        let count = min(kernel.mr, rows - first)
        var elementPointers: [UnsafePointer<Int8>] = []
        var scalePointers: [UnsafePointer<inv_qd8_row>] = []
        for segment in depths.indices {
          let base = elements[segment].pointer.assumingMemoryBound(to: Int8.self)
          let rowScales = pinned[segment].withUnsafeMutableBufferPointer { $0.baseAddress! }
          for row in 0..<kernel.mr {
            let valid = first + min(row, count - 1)
            elementPointers.append(base + valid * depths[segment])
            scalePointers.append(rowScales + valid)
          }
        }
        let vectors = (rowVectors?.pointer.assumingMemoryBound(to: Float.self)).map { start in
          (0..<kernel.mr).map { UnsafePointer(start + (first + min($0, count - 1)) * columns) }
        }
        depths.withUnsafeBufferPointer { depths in
          elementPointers.withUnsafeBufferPointer { elements in
            scalePointers.withUnsafeBufferPointer { scales in
              var tile = inv_qd8_tile(
                rows: count, columns: columns, segments: depths.count, depths: depths.baseAddress!,
                elements: elements.baseAddress!, scales: scales.baseAddress!,
                panel: panel.pointer.assumingMemoryBound(to: UInt8.self),
                column_scales: columnScales.pointer.assumingMemoryBound(to: Float.self),
                bias: bias?.pointer.assumingMemoryBound(to: Float.self), output: out + first * stride, stride: stride,
                weights_ahead: .init(), rows_ahead: .init(), row_vectors: nil, residual: nil)
              guard let vectors else { return kernel.run(&tile) }
              tile.residual = residual.map {
                UnsafePointer($0.pointer.assumingMemoryBound(to: Float.self) + first * stride)
              }
              vectors.withUnsafeBufferPointer { vectors in
                tile.row_vectors = vectors.baseAddress
                kernel.run(&tile)
              }
            }
          }
        }
      }
      let all = output.floats
      let gaps = all.indices.filter { $0 % stride >= columns }
      return (
        (0..<rows * columns).map { Double(all[$0 / columns * stride + $0 % columns]) },
        gaps.allSatisfy { all[$0] == -7 }
      )
    }
  }

  // Unsafe: names and function pointers, constant for the life of the process.
  nonisolated(unsafe) static let kernels: [inv_qd8_qc8w_gemm] = {
    var kernels: [inv_qd8_qc8w_gemm] = []
    while let kernel = inv_qd8_qc8w_gemm_at(kernels.count) { kernels.append(kernel.pointee) }
    return kernels
  }()

  private func expectExact(_ problem: Problem, _ label: String) {
    let scale = problem.expected.map(abs).max() ?? 1
    for kernel in Self.kernels {
      let (values, cleanGaps) = problem.run(kernel)
      let worst = zip(values, problem.expected).map { abs($0 - $1) }.max() ?? 0
      // The integers are exact; f32 rounds each segment's sum.
      #expect(worst <= 1e-6 * scale && cleanGaps, "\(String(cString: kernel.name)), \(label): off by \(worst)")
    }
  }

  @Test func theLastKernelRunsEverywhere() throws {
    #expect(String(cString: try #require(Self.kernels.last).name) == "4x32c4__scalar")
  }

  @Test(arguments: [1, 2, 3, 4, 5, 11, 12, 13, 25], [1, 7, 8, 16, 31, 32])
  func tileEdges(rows: Int, columns: Int) {
    for depth in [1, 3, 4, 5, 64, 100] {
      expectExact(
        Problem(rows: rows, columns: columns, depths: [depth], hasBias: depth % 2 == 0), "\(rows)x\(columns)x\(depth)")
    }
  }

  @Test(arguments: [1, 12, 13], [5, 32]) func whatIsAdded(rows: Int, columns: Int) {
    expectExact(
      Problem(rows: rows, columns: columns, depths: [20, 8], hasBias: true, adds: true), "\(rows)x\(columns), added")
  }

  @Test func segments() {
    expectExact(Problem(rows: 13, columns: 32, depths: Array(repeating: 20, count: 9), hasBias: true), "nine taps")
    expectExact(Problem(rows: 12, columns: 20, depths: [8, 52, 4], hasBias: false), "unequal parts")
  }

  /// All products at -127 * -128: where 16-bit intermediates would saturate.
  @Test func extremes() {
    expectExact(Problem(rows: 12, columns: 32, depths: [2560], hasBias: false, extreme: true), "extremes")
  }

  @Test func quantisationIsSymmetricAndExactAtTheEnds() {
    let x: [Float] = [0, 1, -2, 0.5, 2, -0.25, 1e-9, 1.5]
    var q = [Int8](repeating: 99, count: 12)
    var scales = [inv_qd8_row()]
    inv_quantise_kernels_at(INV_ISA_scalar).pointee.quantise_rows(1, x.count, x, 12, &q, &scales)
    #expect(q == [0, 64, -127, 32, 127, -16, 0, 95, 0, 0, 0, 0])
    #expect(scales[0].scale == 2 / 127 && scales[0].sum == q.reduce(0) { $0 + Int32($1) })
    inv_quantise_kernels_at(INV_ISA_scalar).pointee.quantise_rows(1, 4, [0, 0, 0, 0], 4, &q, &scales)
    #expect(scales[0].scale == 0 && scales[0].sum == 0)
  }

  /// The NEON kernels, cross-compiled and run under emulation where the machine has the tools.
  @Test func arm64() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["300", "/bin/sh", root.path + "/Arm64/run.sh"]
    try process.run()
    process.waitUntilExit()
    if process.terminationStatus == 77 {
      print("skipped: the arm64 kernels need gcc-aarch64-linux-gnu, qemu-user and clang")
    } else {
      #expect(process.terminationStatus == 0)
    }
  }
}
