import CKernels
import Tensors

// Unsafe: function pointers, constant for the life of the process.
nonisolated(unsafe) private let conversions = firstAllowed(inv_conversions_at) { $0.isa }

/// Converts `count` elements of type `source` to `target`; false if there is no such conversion. There are those from
/// f16, bf16, f32 and f64 to f32 and f64, and from f32 to f16 and bf16, to the nearest.
public func convert(
  count: Int, from: UnsafeRawPointer, as source: DType, to: UnsafeMutableRawPointer, as target: DType
) -> Bool {
  let table = conversions.pointee
  func input<Element>(_: Element.Type) -> UnsafePointer<Element> { from.assumingMemoryBound(to: Element.self) }
  func output<Element>(_: Element.Type) -> UnsafeMutablePointer<Element> { to.assumingMemoryBound(to: Element.self) }
  switch (source, target) {
  case _ where source == target: to.copyMemory(from: from, byteCount: count * source.byteCount)
  case (.f16, .f32): table.f16_to_f32(count, input(UInt16.self), output(Float.self))
  case (.bf16, .f32): table.bf16_to_f32(count, input(UInt16.self), output(Float.self))
  case (.f32, .f16): table.f32_to_f16(count, input(Float.self), output(UInt16.self))
  case (.f32, .bf16): table.f32_to_bf16(count, input(Float.self), output(UInt16.self))
  case (.f32, .f64): table.f32_to_f64(count, input(Float.self), output(Double.self))
  case (.f64, .f32):
    let (wide, narrow) = (input(Double.self), output(Float.self))
    for index in 0..<count { narrow[index] = Float(wide[index]) }
  case (.f16, .f64), (.bf16, .f64):
    // By way of f32, which holds every value of the narrower types.
    return withUnsafeTemporaryAllocation(byteCount: max(1, count) * 4, alignment: 64) { scratch in
      guard let base = scratch.baseAddress, convert(count: count, from: from, as: source, to: base, as: .f32)
      else { return false }
      return convert(count: count, from: base, as: .f32, to: to, as: .f64)
    }
  default: return false
  }
  return true
}
