import Testing

@testable import Models

@Suite struct MemoryBudgetTests {
  @Test(arguments: [("128M", 128 << 20), ("2G", 2 << 30), ("2g", 2 << 30), ("64k", 64 << 10), ("1000", 1000)])
  func sizes(text: String, bytes: Int) { #expect(MemoryBudget(text: text)?.bytes == bytes) }

  @Test(arguments: ["", "M", "-5M", "0", "12T", "1.5G", "9223372036854775807G", "twelve"])
  func noSizes(text: String) { #expect(MemoryBudget(text: text) == nil) }

  /// What is fastest keeps all it can; small budgets stream, and keep less for the way back.
  @Test func whatItMeans() {
    let (small, large) = (MemoryBudget(bytes: 128 << 20), MemoryBudget(bytes: 8 << 30))
    #expect(small.streams && !large.streams && !MemoryBudget.unlimited.streams)
    let kept = 300 << 20
    #expect(!small.keeps(kept) && large.keeps(kept) && MemoryBudget.unlimited.keeps(kept))
    #expect(!MemoryBudget.unlimited.keeps(1 << 30))
  }

  /// What admission counts: what a small budget does not send to the disk, and of others all that a picture takes. A
  /// process that has begun fits beside it into a limit as large as the budget.
  @Test func whatIsHeldOfActivations() {
    let process = 20 << 20
    for megabytes in [64, 128, 300, 700] {
      let small = MemoryBudget(bytes: megabytes << 20)
      #expect(small.held(of: 1 << 20) == 1 << 20)
      #expect(small.held(of: 1 << 30) + process <= megabytes << 20)
    }
    #expect(MemoryBudget(bytes: 2 << 30).held(of: 1 << 30) == 1 << 30)
    #expect(MemoryBudget(bytes: 2 << 30).held(of: 8 << 30) < 2 << 30)
    #expect(MemoryBudget.unlimited.held(of: 8 << 30) == 8 << 30)
  }
}
