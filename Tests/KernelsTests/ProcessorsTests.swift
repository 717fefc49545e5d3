import CKernels
import Testing

@testable import Kernels

/// `INVERSION_ISA` and the choice of kernels.
@Suite struct ProcessorsTests {
  @Test func namesAndCaps() {
    #expect(InstructionSet.all.first?.description == "scalar")
    #expect(InstructionSet.available.first?.description == "scalar")
    #expect(InstructionSet(name: "avx512bf16") != nil && InstructionSet(name: "neoni8mm") != nil)
    for set in InstructionSet.available {
      let (choice, complaint) = InstructionSet.capped(by: set.description)
      #expect(choice == set && complaint == nil)
    }
    #expect(InstructionSet.capped(by: nil).set == InstructionSet.available.last)
  }

  @Test func unknownCapsAreIgnoredWithAReason() {
    let (choice, complaint) = InstructionSet.capped(by: "avx9")
    #expect(choice == InstructionSet.available.last)
    #expect(complaint?.contains("no instruction set is called 'avx9'") == true)
    #if arch(x86_64)
      #expect(InstructionSet.capped(by: "neon").complaint?.contains("this machine lacks 'neon'") == true)
    #endif
  }
}
