import CKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Processors that this process may run on: its affinity mask, not the machine's size.
let availableProcessors = max(1, Int(inv_processor_count()))

/// Instruction sets with kernels of their own: the names of `isas.inc`, worst first.
public struct InstructionSet: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  public let rawValue: UInt32
  public let description: String

  /// nil past the list's end.
  public init?(rawValue: UInt32) {
    guard let name = inv_isa_name(Int(rawValue)) else { return nil }
    self.rawValue = rawValue
    description = String(cString: name)
  }

  public init?(name: String) {
    guard let match = Self.all.first(where: { $0.description == name }) else { return nil }
    self = match
  }

  public static let all: [InstructionSet] = {
    var all: [InstructionSet] = []
    while let next = InstructionSet(rawValue: UInt32(all.count)) { all.append(next) }
    return all
  }()

  /// Those that this machine has.
  public static let available = all.filter { inv_isa_runs_here(inv_isa($0.rawValue)) != 0 }

  /// The best that a cap leaves of `available`, and what is wrong with the cap.
  static func capped(by wish: String?) -> (set: InstructionSet, complaint: String?) {
    // The list is never empty: scalar kernels run everywhere.
    guard let wish else { return (available[available.count - 1], nil) }
    guard let cap = available.first(where: { $0.description == wish }) else {
      let choice = available.map(\.description).joined(separator: ", ")
      let what = InstructionSet(name: wish) == nil ? "no instruction set is called" : "this machine lacks"
      return (available[available.count - 1], "INVERSION_ISA: \(what) '\(wish)' (choose of: \(choice)), ignoring")
    }
    return (cap, nil)
  }
}

private let choice = InstructionSet.capped(by: getenv("INVERSION_ISA").map { String(cString: $0) })

/// The best instruction set whose kernels run: the machine's, capped by `INVERSION_ISA`.
public let activeInstructionSet = choice.set

/// Why `INVERSION_ISA` is ignored, for a program to log; nil if it is not.
public let instructionSetComplaint = choice.complaint

/// The first microkernel of a list, best first, that the machine and the cap allow. Every list ends in a scalar one.
func firstAllowed<Kernel>(
  _ list: (Int) -> UnsafePointer<Kernel>?, where fits: (Kernel) -> Bool = { _ in true }, isa: (Kernel) -> inv_isa
) -> UnsafePointer<Kernel> {
  var index = 0
  while let candidate = list(index) {
    if isa(candidate.pointee).rawValue <= activeInstructionSet.rawValue, fits(candidate.pointee) { return candidate }
    index += 1
  }
  preconditionFailure("a list of microkernels has no scalar one")
}
