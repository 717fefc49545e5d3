import Synchronization

/// A block of 64-byte aligned memory that goes back to its pool with its last owner.
///
/// Unchecked: a buffer is written by the one op that makes it and only read after that.
public final class Buffer: @unchecked Sendable {
  public let pointer: UnsafeMutableRawPointer
  public let byteCount: Int
  fileprivate let isSpilled: Bool
  private let pool: BufferPool

  fileprivate init(pointer: UnsafeMutableRawPointer, byteCount: Int, isSpilled: Bool, pool: BufferPool) {
    self.pointer = pointer
    self.byteCount = byteCount
    self.isSpilled = isSpilled
    self.pool = pool
  }

  deinit { pool.giveBack(self) }
}

/// Keeps freed blocks by size, so that a denoising step allocates what the step before it freed.
///
/// Sizes are rounded up (to 1/8 of their power of two), which bounds waste at 12.5 %; a kept block also serves a
/// request of half its size, so that the levels of a network share their memory.
public final class BufferPool: Sendable {
  /// Unchecked: a freed block has no other owner.
  private struct Block: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
  }
  private struct State {
    var free: [Int: [Block]] = [:]
    var liveBytes = 0
    var keptBytes = 0
    var peakBytes = 0
  }
  private let state = Mutex(State())
  private let keepsFreed: Bool
  private let spill: Spill?

  /// When a block is memory that the system may write to a temporary file.
  public struct Spill: Sendable {
    /// Bytes of the smallest such block.
    let smallest: Int
    /// Bytes that the pool holds before.
    public let beyond: Int

    public init(smallest: Int, beyond: Int = 0) {
      self.smallest = smallest
      self.beyond = beyond
    }

    /// Whether the disk would take so many bytes.
    public static func hasRoom(_ byteCount: Int) -> Bool { SpillFile.roomOnDisk > byteCount }
  }

  /// - Parameters:
  ///   - keepsFreed: whether freed blocks wait for the next of their size. Not where what is made once lives as long as
  ///     the pool, as weights do: the temporaries of making it would stay too.
  ///   - spill: which blocks may go to a temporary file; nil for none.
  public init(keepsFreed: Bool = true, spill: Spill? = nil) {
    self.keepsFreed = keepsFreed
    self.spill = spill
  }

  deinit { dropFree() }

  /// Memory with arbitrary contents.
  public func allocate(byteCount: Int) -> Buffer {
    let size = Self.roundedUp(byteCount)
    let (kept, held) = state.withLock { state -> ((block: Block, size: Int)?, Int) in
      let found = Self.take(size, from: &state.free)
      state.liveBytes += found?.size ?? size
      state.keptBytes -= found?.size ?? 0
      state.peakBytes = max(state.peakBytes, state.liveBytes)
      if found == nil { Self.makeRoom(&state) }
      return (found, state.liveBytes + state.keptBytes)
    }
    if let kept { return Buffer(pointer: kept.block.pointer, byteCount: kept.size, isSpilled: false, pool: self) }
    if let spill, size >= spill.smallest, held > spill.beyond, let mapped = SpillFile.map(byteCount: size) {
      return Buffer(pointer: mapped, byteCount: size, isSpilled: true, pool: self)
    }
    return Buffer(pointer: Pages.allocate(byteCount: size), byteCount: size, isSpilled: false, pool: self)
  }

  /// The smallest kept block of `size` to twice as many bytes; small ones only of just that size.
  private static func take(_ size: Int, from free: inout [Int: [Block]]) -> (block: Block, size: Int)? {
    if let block = free[size]?.popLast() { return (block, size) }
    guard size >= Pages.large,
      let larger = free.keys.filter({ $0 > size && $0 <= 2 * size && free[$0]?.isEmpty == false }).min(),
      let block = free[larger]?.popLast()
    else { return nil }
    return (block, larger)
  }

  /// Drops kept blocks, the largest first, so that what is held never exceeds what was once in use.
  private static func makeRoom(_ state: inout State) {
    while state.liveBytes + state.keptBytes > state.peakBytes,
      let largest = state.free.keys.filter({ state.free[$0]?.isEmpty == false }).max(),
      let block = state.free[largest]?.popLast()
    {
      Pages.free(block.pointer, byteCount: largest)
      state.keptBytes -= largest
    }
  }

  /// Bytes in use now, and the most that were in use at once.
  public var usage: (live: Int, peak: Int) { state.withLock { ($0.liveBytes, $0.peakBytes) } }

  /// Bytes that are freed and wait for the next of their size.
  public var keptBytes: Int { state.withLock { $0.keptBytes } }

  /// Returns the kept blocks to the system.
  public func dropFree() {
    state.withLock { state in
      for (size, blocks) in state.free { for block in blocks { Pages.free(block.pointer, byteCount: size) } }
      state.free = [:]
      state.keptBytes = 0
    }
  }

  fileprivate func giveBack(_ buffer: Buffer) {
    let block = Block(pointer: buffer.pointer)
    let (byteCount, isKept) = (buffer.byteCount, keepsFreed && !buffer.isSpilled)
    state.withLock { state in
      state.liveBytes -= byteCount
      guard isKept else { return }
      state.free[byteCount, default: []].append(block)
      state.keptBytes += byteCount
    }
    if buffer.isSpilled {
      SpillFile.unmap(block.pointer, byteCount: byteCount)
    } else if !isKept {
      Pages.free(block.pointer, byteCount: byteCount)
    }
  }

  static func roundedUp(_ byteCount: Int) -> Int {
    let least = max(byteCount, 64)
    let powerOfTwo = 1 << (Int.bitWidth - 1 - least.leadingZeroBitCount)
    let step = max(64, powerOfTwo / 8)
    return (least + step - 1) / step * step
  }
}
