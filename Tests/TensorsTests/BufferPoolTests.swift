import Tensors
import Testing

@Suite struct BufferPoolTests {
  @Test func reusesWhatWasFreed() {
    let pool = BufferPool()
    let first = pool.allocate(byteCount: 1000).pointer
    let second = pool.allocate(byteCount: 1000)
    #expect(second.pointer == first)
    #expect(pool.allocate(byteCount: 1000).pointer != first)
  }

  @Test(arguments: [0, 1, 63, 64, 65, 100, 4096, 5000, 1_000_003])
  func wastesAnEighthAtMost(byteCount: Int) {
    let buffer = BufferPool().allocate(byteCount: byteCount)
    #expect(buffer.byteCount >= byteCount)
    #expect(buffer.byteCount <= max(byteCount + 64, byteCount * 9 / 8))
    #expect(UInt(bitPattern: buffer.pointer) % 64 == 0)
  }

  /// Nothing is kept: a pool of weights must not hold the temporaries of their making.
  @Test func canGiveBackAtOnce() {
    for (keepsFreed, kept) in [(true, 4096), (false, 0)] {
      let pool = BufferPool(keepsFreed: keepsFreed)
      let living = pool.allocate(byteCount: 1024)
      do { _ = pool.allocate(byteCount: 4096) }
      #expect(pool.usage.live == living.byteCount && pool.keptBytes == kept)
    }
  }

  @Test func countsLiveAndPeak() {
    let pool = BufferPool()
    do {
      let a = pool.allocate(byteCount: 1024)
      let b = pool.allocate(byteCount: 1024)
      #expect(pool.usage.live == a.byteCount + b.byteCount)
    }
    #expect(pool.usage == (0, 2048))
  }
}
