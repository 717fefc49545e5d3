import CKernels
import Kernels
import TestSupport
import Testing

/// Every microkernel for weights in f16 and bf16 against sums in f64: at tile edges, across blocks of the depth, with a
/// guard page after each buffer.
@Suite struct HalfProductTests {
  // Unsafe: names and function pointers, constant for the life of the process.
  nonisolated(unsafe) static let kernels: [UnsafePointer<inv_half_gemm>] = {
    var kernels: [UnsafePointer<inv_half_gemm>] = []
    while let kernel = inv_half_gemm_at(kernels.count) { kernels.append(kernel) }
    return kernels
  }()

  private func check(rows: Int, outputs: Int, depth: Int, isBF16: Bool, hasBias: Bool) {
    var numbers = SeededGenerator(state: UInt64(rows * 1_000_003 + outputs * 1009 + depth))
    let (xStride, yStride) = (depth + 3, outputs + 5)
    let x = (0..<(rows - 1) * xStride + depth).map { _ in Float.random(in: -2...2, using: &numbers) }
    let bits = (0..<outputs * depth).map { _ -> UInt16 in
      let value = Float.random(in: -1...1, using: &numbers)
      return isBF16 ? UInt16(value.bitPattern >> 16) : Float16(value).bitPattern
    }
    let weights = bits.map { isBF16 ? Double(Float(bitPattern: UInt32($0) << 16)) : Double(Float16(bitPattern: $0)) }
    let bias = (0..<outputs).map { Float($0) - 3 }
    let expected = (0..<rows * outputs).map { index in
      let (row, output) = (index / outputs, index % outputs)
      return (0..<depth).reduce(hasBias ? Double(bias[output]) : 0) {
        $0 + Double(x[row * xStride + $1]) * weights[output * depth + $1]
      }
    }
    for kernel in Self.kernels {
      let (input, w) = (GuardedBuffer(x), GuardedBuffer(byteCount: bits.count * 2))
      w.pointer.copyMemory(from: bits, byteCount: bits.count * 2)
      let biasBuffer = GuardedBuffer(bias)
      let y = GuardedBuffer([Float](repeating: -7, count: (rows - 1) * yStride + outputs))
      let scratch = GuardedBuffer(byteCount: Int(INV_HALF_DEPTH) * kernel.pointee.nr * 4)
      var product = inv_half_product(
        rows: rows, outputs: outputs, depth: depth, x: input.pointer.assumingMemoryBound(to: Float.self),
        x_stride: xStride, weights: w.pointer.assumingMemoryBound(to: UInt16.self), is_bf16: isBF16 ? 1 : 0,
        bias: hasBias ? UnsafePointer(biasBuffer.pointer.assumingMemoryBound(to: Float.self)) : nil,
        y: y.pointer.assumingMemoryBound(to: Float.self), y_stride: yStride)
      for first in stride(from: 0, to: outputs, by: kernel.pointee.nr) {
        kernel.pointee.run(
          &product, first, min(kernel.pointee.nr, outputs - first),
          scratch.pointer.assumingMemoryBound(to: Float.self))
      }
      let all = y.floats
      let isRight = all.indices.allSatisfy { index in
        let (row, output) = (index / yStride, index % yStride)
        guard output < outputs else { return all[index] == -7 }
        let exact = expected[row * outputs + output]
        return abs(Double(all[index]) - exact) <= 2e-6 * (Double(depth).squareRoot() + abs(exact))
      }
      #expect(
        isRight,
        "\(String(cString: kernel.pointee.name)), \(rows) x \(outputs) x \(depth), \(isBF16 ? "bf16" : "f16")")
    }
  }

  @Test func theLastKernelRunsEverywhere() throws {
    #expect(String(cString: try #require(Self.kernels.last).pointee.name) == "4x8__scalar")
    #expect(!halfKernelName.isEmpty)
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25], [1, 3, 4, 8, 15, 16, 17, 33])
  func tileEdges(rows: Int, outputs: Int) {
    for depth in [1, 3, 4, 16, 37] {
      check(rows: rows, outputs: outputs, depth: depth, isBF16: depth % 2 == 0, hasBias: rows % 2 == 0)
      check(rows: rows, outputs: outputs, depth: depth, isBF16: depth % 2 == 1, hasBias: rows % 2 == 1)
    }
  }

  @Test(arguments: [255, 256, 257, 600])
  func blocksOfTheDepth(depth: Int) {
    for rows in [1, 13] {
      check(rows: rows, outputs: 35, depth: depth, isBF16: true, hasBias: true)
      check(rows: rows, outputs: 35, depth: depth, isBF16: false, hasBias: false)
    }
  }

  /// Subnormal and extreme weights are widened exactly.
  @Test func specialWeights() {
    let bits: [UInt16] = [0x0001, 0x03FF, 0x0400, 0x7BFF, 0x8001, 0xFBFF, 0x0000, 0x8000]
    for kernel in Self.kernels {
      for rows in [1, 8] {
        let (x, w) = (GuardedBuffer([Float](repeating: 1, count: rows)), GuardedBuffer(byteCount: bits.count * 2))
        w.pointer.copyMemory(from: bits, byteCount: bits.count * 2)
        let y = GuardedBuffer(byteCount: rows * 8 * 4)
        let scratch = GuardedBuffer(byteCount: Int(INV_HALF_DEPTH) * kernel.pointee.nr * 4)
        var product = inv_half_product(
          rows: rows, outputs: 8, depth: 1, x: x.pointer.assumingMemoryBound(to: Float.self), x_stride: 1,
          weights: w.pointer.assumingMemoryBound(to: UInt16.self), is_bf16: 0, bias: nil,
          y: y.pointer.assumingMemoryBound(to: Float.self), y_stride: 8)
        kernel.pointee.run(&product, 0, 8, scratch.pointer.assumingMemoryBound(to: Float.self))
        #expect(y.floats.suffix(8) == bits.map { Float(Float16(bitPattern: $0)) }[...])
      }
    }
  }
}
