/// Element types of GGUF, by their numbers in the file (`q40` is its Q4_0). The quantised ones store blocks of weights
/// with a common scale.
public enum GGUFType: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case f16 = 1
  case q40 = 2
  case q41 = 3
  case q50 = 6
  case q51 = 7
  case q80 = 8
  case q2k = 10
  case q3k = 11
  case q4k = 12
  case q5k = 13
  case q6k = 14
  case q8k = 15
  case i8 = 24
  case i16 = 25
  case i32 = 26
  case i64 = 27
  case f64 = 28
  case bf16 = 30

  /// The format's name of it.
  public var name: String {
    switch self {
    case .f32: "F32"
    case .f16: "F16"
    case .q40: "Q4_0"
    case .q41: "Q4_1"
    case .q50: "Q5_0"
    case .q51: "Q5_1"
    case .q80: "Q8_0"
    case .q2k: "Q2_K"
    case .q3k: "Q3_K"
    case .q4k: "Q4_K"
    case .q5k: "Q5_K"
    case .q6k: "Q6_K"
    case .q8k: "Q8_K"
    case .i8: "I8"
    case .i16: "I16"
    case .i32: "I32"
    case .i64: "I64"
    case .f64: "F64"
    case .bf16: "BF16"
    }
  }

  /// Weights in a block, along the fastest dimension.
  public var blockCount: Int {
    switch self {
    case .q40, .q41, .q50, .q51, .q80: 32
    case .q2k, .q3k, .q4k, .q5k, .q6k, .q8k: 256
    default: 1
    }
  }

  /// Bytes of a block.
  public var blockBytes: Int {
    switch self {
    case .f32, .i32: 4
    case .f16, .bf16, .i16: 2
    case .f64, .i64: 8
    case .i8: 1
    case .q40: 2 + 16
    case .q41: 2 + 2 + 16
    case .q50: 2 + 4 + 16
    case .q51: 2 + 2 + 4 + 16
    case .q80: 2 + 32
    case .q2k: 84
    case .q3k: 110
    case .q4k: 144
    case .q5k: 176
    case .q6k: 210
    case .q8k: 292
    }
  }
}

extension GGUFType {
  /// Widens `bytes` (whole blocks) to f32; nil for a type that is not read.
  func floats(_ bytes: UnsafeRawBufferPointer) -> [Float]? {
    switch self {
    case .f32: Self.widen(bytes, UInt32.self) { Float(bitPattern: $0) }
    case .f16: Self.widen(bytes, UInt16.self) { Float(Float16(bitPattern: $0)) }
    case .bf16: Self.widen(bytes, UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    case .q80:
      blocks(bytes) { block, out in
        let scale = Self.half(block, 0)
        for index in 0..<32 { out.append(Float(Int8(bitPattern: block[2 + index])) * scale) }
      }
    case .q40:
      blocks(bytes) { Self.appendNibbles($0, from: 2, scale: Self.half($0, 0), zero: 8, minimum: nil, to: &$1) }
    case .q41:
      blocks(bytes) {
        Self.appendNibbles($0, from: 4, scale: Self.half($0, 0), zero: 0, minimum: Self.half($0, 2), to: &$1)
      }
    case .q50:
      blocks(bytes) {
        Self.appendNibbles($0, from: 6, highBitsAt: 2, scale: Self.half($0, 0), zero: 16, minimum: nil, to: &$1)
      }
    case .q51:
      blocks(bytes) {
        Self.appendNibbles(
          $0, from: 8, highBitsAt: 4, scale: Self.half($0, 0), zero: 0, minimum: Self.half($0, 2), to: &$1)
      }
    default: nil
    }
  }

  private static func widen<Bits: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, _: Bits.Type, _ convert: (Bits) -> Float
  ) -> [Float] {
    stride(from: 0, to: bytes.count, by: MemoryLayout<Bits>.size).map { offset in
      convert(Bits(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Bits.self)))
    }
  }

  private func blocks(
    _ bytes: UnsafeRawBufferPointer, _ append: (UnsafeRawBufferPointer, inout [Float]) -> Void
  ) -> [Float] {
    var out: [Float] = []
    out.reserveCapacity(bytes.count / blockBytes * blockCount)
    for start in stride(from: 0, to: bytes.count, by: blockBytes) {
      append(UnsafeRawBufferPointer(rebasing: bytes[start..<start + blockBytes]), &out)
    }
    return out
  }

  private static func half(_ block: UnsafeRawBufferPointer, _ offset: Int) -> Float {
    Float(Float16(bitPattern: UInt16(littleEndian: block.loadUnaligned(fromByteOffset: offset, as: UInt16.self))))
  }

  /// 32 weights (q - zero) * scale + minimum. The low nibbles of 16 bytes are the first 16, the high nibbles the
  /// others; a fifth bit of each may stand in 32 bits at `highBitsAt`.
  private static func appendNibbles(
    _ block: UnsafeRawBufferPointer, from start: Int, highBitsAt: Int? = nil, scale: Float, zero: Int, minimum: Float?,
    to out: inout [Float]
  ) {
    let high = highBitsAt.map { UInt32(littleEndian: block.loadUnaligned(fromByteOffset: $0, as: UInt32.self)) } ?? 0
    for index in 0..<32 {
      let byte = block[start + index % 16]
      let quantised = Int(index < 16 ? byte & 15 : byte >> 4) | Int(high >> UInt32(index) & 1) << 4
      let scaled = Float(quantised - zero) * scale
      // Not "+ 0": a negative scale makes a negative zero, which the reference keeps.
      out.append(minimum.map { scaled + $0 } ?? scaled)
    }
  }
}
