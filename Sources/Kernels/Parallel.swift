import Dispatch
import Synchronization

/// The pieces that are left, a stretch for each worker: what one piece leaves in a core's caches, and one op for the
/// next, is used again there. Who has done its own helps at the far end of the longest.
final class Stretches: Sendable {
  private let left: Mutex<[Range<Int>]>

  init(_ count: Int, workers: Int) {
    left = Mutex((0..<workers).map { count * $0 / workers..<count * ($0 + 1) / workers })
  }

  func take(_ worker: Int) -> Int? {
    left.withLock { left in
      let own = left[worker]
      if !own.isEmpty {
        left[worker] = own.lowerBound + 1..<own.upperBound
        return own.lowerBound
      }
      guard let richest = left.indices.max(by: { left[$0].count < left[$1].count }), !left[richest].isEmpty else {
        return nil
      }
      left[richest] = left[richest].dropLast()
      return left[richest].upperBound
    }
  }
}

/// Runs the pieces of one op on several cores. Pieces are cut by shape, never by the number of threads, so that a
/// result does not depend on how many there are.
public enum Parallel {
  private static let threadCount = Atomic<Int>(0)

  /// How many threads an op may use; the machine's active processors unless set.
  public static var threads: Int {
    get {
      let set = threadCount.load(ordering: .relaxed)
      return set > 0 ? set : availableProcessors
    }
    set { threadCount.store(newValue, ordering: .relaxed) }
  }

  private static let operationCount = Atomic<Int>(0)

  /// How often work has been begun since the start: grows while a network computes, and stands still when it hangs.
  public static var operations: Int { operationCount.load(ordering: .relaxed) }

  /// Calls `body` for every piece in `0..<count`, each once, in any order, and returns when all are done. `alone`: on
  /// the calling thread, for work that is smaller than the start of a thread.
  public static func forEach(_ count: Int, alone: Bool = false, _ body: (Int) -> Void) {
    operationCount.wrappingAdd(1, ordering: .relaxed)
    let workers = alone ? 1 : min(threads, count)
    guard workers > 1 else {
      for piece in 0..<count { body(piece) }
      return
    }
    let stretches = Stretches(count, workers: workers)
    withoutActuallyEscaping(body) { body in
      // Unsafe: pieces write to disjoint memory; that is the contract of this function.
      nonisolated(unsafe) let body = body
      DispatchQueue.concurrentPerform(iterations: workers) { worker in
        while let piece = stretches.take(worker) { body(piece) }
      }
    }
  }

  /// Cuts `0..<count` into pieces of about `grain` and calls `body` with each range.
  public static func forEachRange(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    let pieces = max(1, (count + grain - 1) / grain)
    forEach(pieces) { piece in
      body(count * piece / pieces..<count * (piece + 1) / pieces)
    }
  }

  /// Cuts `0..<rows` of `channels` elements into pieces that are worth a thread and of which none crosses a multiple of
  /// `unit` rows.
  public static func forEachUnitRange(_ rows: Int, unit: Int, channels: Int, _ body: (Range<Int>) -> Void) {
    let elementsWorthAPiece = 32_768
    let units = rows / max(1, unit)
    let wanted = max(1, min(16, rows * channels / elementsWorthAPiece))
    let perUnit = max(1, min(unit, wanted / max(1, units)))
    forEach(units * perUnit) { piece in
      let (start, part) = (piece / perUnit * unit, piece % perUnit)
      body(start + unit * part / perUnit..<start + unit * (part + 1) / perUnit)
    }
  }
}
