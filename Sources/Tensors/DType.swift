/// Element types of tensors, in memory and in files. The raw value is the project's word for it.
public enum DType: String, Sendable, CaseIterable {
  case f32, f64, f16, bf16, s8, u8, s16, u16, s32, u32, s64, u64, bool, f8e4m3, f8e5m2

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .s8, .u8, .bool, .f8e4m3, .f8e5m2: 1
    case .f16, .bf16, .s16, .u16: 2
    case .f32, .s32, .u32: 4
    case .f64, .s64, .u64: 8
    }
  }

  /// Whether its values are real numbers (the types that a weight or an embedding may have).
  public var isFloatingPoint: Bool {
    switch self {
    case .f32, .f64, .f16, .bf16, .f8e4m3, .f8e5m2: true
    default: false
    }
  }
}
