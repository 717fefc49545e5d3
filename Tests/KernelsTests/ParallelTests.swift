import Synchronization
import Testing

@testable import Kernels

@Suite struct ParallelTests {
  @Test(arguments: [0, 1, 2, 3, 7, 16, 1000]) func everyPieceIsDoneOnce(_ count: Int) {
    let done = Mutex([Int](repeating: 0, count: count))
    Parallel.forEach(count) { piece in done.withLock { $0[piece] += 1 } }
    #expect(done.withLock { $0.allSatisfy { $0 == 1 } })
  }

  @Test func aWorkerKeepsToItsStretchAndThenHelpsAtTheFarEndOfTheLongest() {
    let stretches = Stretches(9, workers: 3)
    #expect((0..<3).map { _ in stretches.take(1) } == [3, 4, 5])
    #expect(stretches.take(0) == 0)
    // Of 1, 2 and of 6, 7, 8 the latter are more.
    #expect(stretches.take(1) == 8)
    #expect((0..<4).map { _ in stretches.take(0) } == [1, 2, 7, 6])
    #expect((0..<3).allSatisfy { stretches.take($0) == nil })
  }

  @Test func fewerPiecesThanWorkersLeaveStretchesEmpty() {
    let stretches = Stretches(2, workers: 5)
    #expect(Set((0..<5).compactMap { stretches.take($0) }) == [0, 1])
  }
}
