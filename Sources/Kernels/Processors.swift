import CKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Processors that this process may run on: its affinity mask, not the machine's size.
let availableProcessors = max(1, Int(inv_processor_count()))

/// The instruction set whose kernels run: the machine's best, capped by `INVERSION_ISA=scalar|avx2|avx512`.
public let activeInstructionSet: InstructionSet = {
  let best = InstructionSet(rawValue: inv_isa_detect().rawValue) ?? .scalar
  guard let wish = getenv("INVERSION_ISA"), let cap = InstructionSet(name: String(cString: wish)) else { return best }
  return cap.rawValue < best.rawValue ? cap : best
}()

/// Instruction sets with kernels of their own, worst first.
public enum InstructionSet: UInt32, CaseIterable, Sendable {
  case scalar, avx2, avx512

  public init?(name: String) {
    guard let match = Self.allCases.first(where: { "\($0)" == name }) else { return nil }
    self = match
  }
}
