import Daemon
import Testing

@Suite struct FairQueueTests {
  private func queue(_ jobs: [(String, UInt32)], perOwner: Int = 10, limit: Int = 10) -> FairQueue<String> {
    var queue = FairQueue<String>(limitPerOwner: perOwner, limit: limit)
    for (job, owner) in jobs { _ = queue.append(job, owner: owner) }
    return queue
  }

  @Test func ownersTakeTurnsAndKeepTheirOrder() {
    let queue = queue([("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("b2", 2), ("c1", 3)])
    #expect(queue.inOrder == ["a1", "b1", "c1", "a2", "b2", "a3"])
    #expect(queue.count == 6)
  }

  @Test func aLateOwnerDoesNotWaitForAllOfAnother() {
    var queue = queue([("a1", 1), ("a2", 1), ("a3", 1)])
    let first = queue.popFirst()
    #expect(first == "a1")
    _ = queue.append("b1", owner: 2)
    #expect(queue.inOrder == ["a2", "b1", "a3"])
  }

  @Test func limits() {
    var queue = queue([("a1", 1), ("a2", 1)], perOwner: 2, limit: 3)
    let ownerIsFull = !queue.append("a3", owner: 1)
    let another = queue.append("b1", owner: 2)
    let queueIsFull = !queue.append("c1", owner: 3)
    #expect(ownerIsFull && another && queueIsFull)
    #expect(queue.inOrder == ["a1", "b1", "a2"])
    _ = queue.popFirst()
    let roomAgain = queue.append("c1", owner: 3)
    #expect(roomAgain)
  }

  @Test func removeFromAnywhere() {
    var queue = queue([("a1", 1), ("a2", 1), ("b1", 2)])
    let removed = ["a1", "b1", "b1"].map { job in queue.remove { $0 == job } }
    #expect(removed == ["a1", "b1", nil])
    #expect(queue.inOrder == ["a2"])
    let last = [queue.popFirst(), queue.popFirst()]
    #expect(last == ["a2", nil] && queue.isEmpty)
  }
}
