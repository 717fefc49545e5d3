import Foundation
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

  /// A block that was freed also serves what needs half of it, but not less.
  @Test func levelsShareLargeBlocks() {
    let pool = BufferPool()
    let first = pool.allocate(byteCount: 4 << 20).pointer
    do { #expect(pool.allocate(byteCount: 2 << 20).pointer == first) }
    #expect(pool.allocate(byteCount: 1 << 20).pointer != first)
  }

  /// What waits makes room for what is needed: in use and waiting together never exceed the peak of use.
  @Test func holdsNoMoreThanWasOnceInUse() {
    let pool = BufferPool()
    for megabytes in [8, 3, 20, 1, 9, 2, 33, 5, 4] {
      do {
        let blocks = [pool.allocate(byteCount: megabytes << 20), pool.allocate(byteCount: megabytes << 18)]
        #expect(blocks[0].pointer != blocks[1].pointer)
        #expect(pool.usage.live + pool.keptBytes <= pool.usage.peak, "\(megabytes)")
      }
      #expect(pool.usage.live == 0 && pool.keptBytes <= pool.usage.peak)
    }
  }

  @Test func spilledBlocksAreMemoryLikeAnyOther() {
    let pool = BufferPool(spill: BufferPool.Spill(smallest: 1 << 16))
    do {
      let (spilled, small) = (pool.allocate(byteCount: 3 << 16), pool.allocate(byteCount: 1 << 10))
      let words = spilled.pointer.bindMemory(to: Int.self, capacity: spilled.byteCount / 8)
      for index in 0..<spilled.byteCount / 8 { words[index] = index * 7 }
      #expect((0..<spilled.byteCount / 8).allSatisfy { words[$0] == $0 * 7 })
      #expect(Self.isFile(spilled.pointer) && !Self.isFile(small.pointer))
    }
    #expect(pool.usage.live == 0 && pool.keptBytes == 1 << 10, "a spilled block does not wait")
  }

  @Test func spillsOnlyBeyondWhatMayBeHeld() {
    let pool = BufferPool(spill: BufferPool.Spill(smallest: 1 << 16, beyond: 5 << 16))
    let blocks = (0..<3).map { _ in pool.allocate(byteCount: 2 << 16) }
    #expect(blocks.map { Self.isFile($0.pointer) } == [false, false, true])
  }

  /// Whether the address lies in a mapping of a file of ours, by /proc/self/maps.
  private static func isFile(_ pointer: UnsafeMutableRawPointer) -> Bool {
    allMaps().split(separator: "\n").contains { line in
      let range = line.split(separator: " ")[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      return line.contains("inversion-") && (range[0]..<range[1]).contains(UInt(bitPattern: pointer))
    }
  }

  /// Read to its end: Foundation takes the first short read of such a file for its end.
  private static func allMaps() -> String {
    let fd = open("/proc/self/maps", O_RDONLY)
    defer { close(fd) }
    var text: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = read(fd, &part, part.count), count > 0 { text += part.prefix(count) }
    return String(decoding: text, as: UTF8.self)
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
