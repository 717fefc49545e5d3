import Errors
import Synchronization

/// The memory that all requests' bodies together may take: many clients with large bodies must not take it from the
/// model.
final class BodyMemory: Sendable {
  private let limit: Int
  private let taken = Atomic(0)

  init(limit: Int) { self.limit = limit }

  /// A request's share; what it has taken comes back with its end.
  final class Share: Sendable {
    private let memory: BodyMemory
    private let bytes = Atomic(0)

    fileprivate init(_ memory: BodyMemory) { self.memory = memory }

    /// - Throws: `.busy` when the other requests have left too little.
    func take(_ count: Int) throws(InversionError) {
      let (_, taken) = memory.taken.add(count, ordering: .relaxed)
      bytes.add(count, ordering: .relaxed)
      guard taken <= memory.limit else {
        throw InversionError(
          .busy, "the requests that are being read hold \(memory.limit) bytes, which is the limit; try again later")
      }
    }

    deinit { memory.taken.subtract(bytes.load(ordering: .relaxed), ordering: .relaxed) }
  }

  func share() -> Share { Share(self) }
}
