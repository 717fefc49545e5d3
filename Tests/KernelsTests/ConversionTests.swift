import CKernels
import Kernels
import Tensors
import Testing

/// Conversions on every instruction set of this machine, against Swift's own: all 65,536 halves, and the f32 where
/// rounding is hard. A guard page lies after each buffer.
@Suite struct ConversionTests {
  // Unsafe: names and function pointers, constant for the life of the process.
  nonisolated(unsafe) static let tables: [UnsafePointer<inv_conversions>] = {
    var tables: [UnsafePointer<inv_conversions>] = []
    while let table = inv_conversions_at(tables.count) { tables.append(table) }
    return tables
  }()

  static let halves = (0...UInt16.max).map { $0 }

  /// Every half's neighbourhood in f32: the value itself, the middle to the next one, and a bit to either side of both.
  static func hardCases(_ bits: (UInt16) -> UInt32, step: UInt32) -> [Float] {
    halves.flatMap { half -> [UInt32] in
      let exact = bits(half)
      return [exact, exact &+ step / 2, exact &+ step / 2 &+ 1, exact &+ step / 2 &- 1, exact &+ 1, exact &- 1]
    }.map(Float.init(bitPattern:))
  }

  private func widen(
    _ convert: @convention(c) (Int, UnsafePointer<UInt16>, UnsafeMutablePointer<Float>) -> Void, _ x: [UInt16]
  ) -> [Float] {
    let (input, output) = (GuardedBuffer(byteCount: x.count * 2), GuardedBuffer(byteCount: x.count * 4))
    input.pointer.copyMemory(from: x, byteCount: x.count * 2)
    convert(
      x.count, input.pointer.assumingMemoryBound(to: UInt16.self), output.pointer.assumingMemoryBound(to: Float.self))
    return output.floats
  }

  private func narrow(
    _ convert: @convention(c) (Int, UnsafePointer<Float>, UnsafeMutablePointer<UInt16>) -> Void, _ x: [Float]
  ) -> [UInt16] {
    let (input, output) = (GuardedBuffer(x), GuardedBuffer(byteCount: x.count * 2))
    let out = output.pointer.assumingMemoryBound(to: UInt16.self)
    convert(x.count, input.pointer.assumingMemoryBound(to: Float.self), out)
    return Array(UnsafeBufferPointer(start: out, count: x.count))
  }

  private func expectEqual(_ got: [Float], _ expected: [Float], _ label: String) {
    let wrong = zip(got, expected).first { $0 != $1 && !($0.isNaN && $1.isNaN) || $0.sign != $1.sign }
    #expect(got.count == expected.count && wrong == nil, "\(label): \(String(describing: wrong))")
  }

  @Test func halvesWiden() {
    for table in Self.tables {
      let name = String(cString: table.pointee.name)
      expectEqual(
        widen(table.pointee.f16_to_f32, Self.halves), Self.halves.map { Float(Float16(bitPattern: $0)) }, "\(name) f16")
      expectEqual(
        widen(table.pointee.bf16_to_f32, Self.halves), Self.halves.map { Float(bitPattern: UInt32($0) << 16) },
        "\(name) bf16")
    }
  }

  @Test func f32RoundsToTheNearestF16() {
    let x = Self.hardCases({ Float(Float16(bitPattern: $0)).bitPattern }, step: 1 << 13)
    let expected = x.map { Float(Float16($0)) }
    for table in Self.tables {
      let got = narrow(table.pointee.f32_to_f16, x).map { Float(Float16(bitPattern: $0)) }
      expectEqual(got, expected, "\(String(cString: table.pointee.name))")
    }
  }

  /// The nearest of the two neighbours, and of two equally near ones the one with an even last bit.
  @Test func f32RoundsToTheNearestBF16() {
    let x = Self.hardCases({ UInt32($0) << 16 }, step: 1 << 16)
    let expected = x.map { value -> Float in
      guard !value.isNaN else { return value }
      let lower = value.bitPattern & 0xFFFF_0000
      let rest = value.bitPattern & 0xFFFF
      let up = rest > 0x8000 || rest == 0x8000 && lower & 0x10000 != 0
      return Float(bitPattern: up ? lower + 0x10000 : lower)
    }
    for table in Self.tables {
      let got = narrow(table.pointee.f32_to_bf16, x).map { Float(bitPattern: UInt32($0) << 16) }
      expectEqual(got, expected, "\(String(cString: table.pointee.name))")
    }
  }

  @Test(arguments: [0, 1, 3, 7, 8, 9, 15, 16, 17, 33])
  func anyCount(count: Int) {
    let x = (0..<count).map { Float($0) / 3 - 2 }
    for table in Self.tables {
      #expect(narrow(table.pointee.f32_to_f16, x) == x.map { Float16($0).bitPattern })
      #expect(widen(table.pointee.f16_to_f32, x.map { Float16($0).bitPattern }) == x.map { Float(Float16($0)) })
      let wide = GuardedBuffer(byteCount: count * 8)
      let narrow = GuardedBuffer(x)
      table.pointee.f32_to_f64(
        count, narrow.pointer.assumingMemoryBound(to: Float.self), wide.pointer.assumingMemoryBound(to: Double.self))
      #expect(wide.doubles == x.map(Double.init))
    }
  }

  @Test func pairsOfTypes() {
    let values: [Float] = [1, -2.5, 0.125, 384]
    for target in [DType.f16, .bf16, .f32, .f64] {
      var (there, back) = ([UInt8](repeating: 0, count: 32), [Float](repeating: 0, count: 4))
      #expect(convert(count: 4, from: values, as: .f32, to: &there, as: target))
      #expect(convert(count: 4, from: there, as: target, to: &back, as: .f32))
      #expect(back == values, "by way of \(target)")
      var wide = [Double](repeating: 0, count: 4)
      #expect(convert(count: 4, from: there, as: target, to: &wide, as: .f64))
      #expect(wide == values.map(Double.init), "from \(target) to f64")
      #expect(!convert(count: 4, from: there, as: .s8, to: &back, as: target))
    }
  }
}
