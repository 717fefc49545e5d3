import Tensors

/// Little-endian floats of any width as f32. Embeddings have a few thousand values: plain Swift is fast enough.
func widened(_ bytes: UnsafeRawBufferPointer, dtype: DType) -> [Float] {
  func map<Bits: FixedWidthInteger>(_: Bits.Type, _ value: (Bits) -> Float) -> [Float] {
    stride(from: 0, to: bytes.count, by: MemoryLayout<Bits>.size).map { offset in
      value(Bits(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Bits.self)))
    }
  }
  return switch dtype {
  case .f32: map(UInt32.self) { Float(bitPattern: $0) }
  case .f64: map(UInt64.self) { Float(Double(bitPattern: $0)) }
  case .f16: map(UInt16.self) { Float(Float16(bitPattern: $0)) }
  case .bf16: map(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
  // E5M2 is the upper half of an f16.
  case .f8e5m2: map(UInt8.self) { Float(Float16(bitPattern: UInt16($0) << 8)) }
  case .f8e4m3: map(UInt8.self, floatFromE4M3)
  default: preconditionFailure("\(dtype) is no floating-point type")
  }
}

/// E4M3 in the variant without infinities: bias 7, and only all ones is NaN.
private func floatFromE4M3(_ bits: UInt8) -> Float {
  let exponent = Int(bits >> 3 & 0xF)
  let fraction = Float(bits & 7) / 8
  let sign: Float = bits & 0x80 == 0 ? 1 : -1
  if bits & 0x7F == 0x7F { return .nan }
  let magnitude = exponent == 0 ? fraction : 1 + fraction
  return sign * Float(sign: .plus, exponent: max(exponent, 1) - 7, significand: magnitude)
}
