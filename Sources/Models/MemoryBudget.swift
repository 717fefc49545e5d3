import Ops
import Tensors

/// How much memory making pictures may take. What does not fit goes to the disk: weights are read as their layers
/// compute, and large activations may be written to a temporary file.
public struct MemoryBudget: Sendable, Equatable {
  /// nil: as much as is fastest.
  public let bytes: Int?

  public static let unlimited = MemoryBudget(bytes: nil)

  public init(bytes: Int?) { self.bytes = bytes }

  /// Weights are let go behind their layers when they and the activations would not fit.
  private static let comfortable = 1536 << 20
  /// Under this, activations of a picture of 512 x 512 may have to go too.
  private static let spills = 768 << 20

  /// Whether weights are streamed.
  public var streams: Bool { bytes.map { $0 < Self.comfortable } ?? false }

  /// A tape that does not record and keeps to the budget.
  public func makeTape() -> Tape {
    guard let bytes else { return Tape(recording: false) }
    let worthAFile = 1 << 20
    let tape = Tape(recording: false, pool: BufferPool(spillsFrom: bytes < Self.spills ? worthAFile : nil))
    if streams {
      // A layer computes while the next ones are read; two large layers at once must not crowd out the activations.
      tape.weightStream = WeightStream(aheadBytes: bytes / 16)
    }
    return tape
  }
}
