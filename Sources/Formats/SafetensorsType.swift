import Tensors

/// The element types of the safetensors format, smallest alignment first.
///
/// The order is the reference writer's: it sorts tensors by descending type, then by name, so that wide elements come
/// first and stay aligned.
public enum SafetensorsType: String, Sendable, CaseIterable {
  case bool = "BOOL"
  case f4 = "F4"
  case f6e2m3 = "F6_E2M3"
  case f6e3m2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8e5m2 = "F8_E5M2"
  case f8e4m3 = "F8_E4M3"
  case f8e8m0 = "F8_E8M0"
  case f8e4m3fnuz = "F8_E4M3FNUZ"
  case f8e5m2fnuz = "F8_E5M2FNUZ"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"

  public init(_ dtype: DType) {
    switch dtype {
    case .f32: self = .f32
    case .f64: self = .f64
    case .f16: self = .f16
    case .bf16: self = .bf16
    case .s8: self = .i8
    case .u8: self = .u8
    case .s16: self = .i16
    case .u16: self = .u16
    case .s32: self = .i32
    case .u32: self = .u32
    case .s64: self = .i64
    case .u64: self = .u64
    case .bool: self = .bool
    case .f8e4m3: self = .f8e4m3
    case .f8e5m2: self = .f8e5m2
    }
  }

  /// The type in memory; nil for those that no kernel of ours reads.
  public var dtype: DType? { DType.allCases.first { SafetensorsType($0) == self } }

  /// Bits of one element; several elements share a byte when it is less than 8.
  public var bitCount: Int {
    switch self {
    case .f4: 4
    case .f6e2m3, .f6e3m2: 6
    case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .c64, .f64, .i64, .u64: 64
    }
  }

  /// Place in the reference writer's order.
  var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  /// Bytes of a tensor of this shape; nil when the count overflows or does not end on a byte.
  func byteCount(shape: [Int]) -> Int? {
    var bits = bitCount
    for dimension in shape {
      let (product, overflow) = bits.multipliedReportingOverflow(by: dimension)
      if overflow { return nil }
      bits = product
    }
    return bits % 8 == 0 ? bits / 8 : nil
  }
}
