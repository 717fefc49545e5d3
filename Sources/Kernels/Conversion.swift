import CKernels
import Tensors

/// Widens `count` elements of type `source` to `target` (f32 or f64); false if there is no such conversion.
public func convert(
  count: Int, from: UnsafeRawPointer, as source: DType, to: UnsafeMutableRawPointer, as target: DType
) -> Bool {
  if source == target {
    to.copyMemory(from: from, byteCount: count * source.byteCount)
    return true
  }
  if target == .f64 {
    // By way of f32, which holds every value of the narrower types.
    guard source != .f32 else {
      inv_f32_to_f64(count, from.assumingMemoryBound(to: Float.self), to.assumingMemoryBound(to: Double.self))
      return true
    }
    return withUnsafeTemporaryAllocation(byteCount: max(1, count) * 4, alignment: 64) { scratch in
      guard let base = scratch.baseAddress, convert(count: count, from: from, as: source, to: base, as: .f32)
      else { return false }
      return convert(count: count, from: base, as: .f32, to: to, as: .f64)
    }
  }
  guard target == .f32 else { return false }
  let output = to.assumingMemoryBound(to: Float.self)
  switch source {
  case .f16: inv_f16_to_f32(count, from.assumingMemoryBound(to: UInt16.self), output)
  case .bf16: inv_bf16_to_f32(count, from.assumingMemoryBound(to: UInt16.self), output)
  case .f64:
    let input = from.assumingMemoryBound(to: Double.self)
    for index in 0..<count { output[index] = Float(input[index]) }
  default: return false
  }
  return true
}
