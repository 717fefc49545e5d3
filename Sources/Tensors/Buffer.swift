import Synchronization

/// A block of 64-byte aligned memory that goes back to its pool with its last owner.
///
/// Unchecked: a buffer is written by the one op that makes it and only read after that.
public final class Buffer: @unchecked Sendable {
  public let pointer: UnsafeMutableRawPointer
  public let byteCount: Int
  private let pool: BufferPool

  fileprivate init(pointer: UnsafeMutableRawPointer, byteCount: Int, pool: BufferPool) {
    self.pointer = pointer
    self.byteCount = byteCount
    self.pool = pool
  }

  deinit { pool.giveBack(pointer, byteCount: byteCount) }
}

/// Keeps freed blocks by size, so that a denoising step allocates what the step before it freed.
///
/// Sizes are rounded up (to 1/8 of their power of two), which bounds waste at 12.5 %.
public final class BufferPool: Sendable {
  /// Unchecked: a freed block has no other owner.
  private struct Block: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
  }
  private struct State {
    var free: [Int: [Block]] = [:]
    var liveBytes = 0
    var peakBytes = 0
  }
  private let state = Mutex(State())
  private let keepsFreed: Bool

  /// - Parameter keepsFreed: whether freed blocks wait for the next of their size. Not where what is made once lives as
  ///   long as the pool, as weights do: the temporaries of making it would stay too.
  public init(keepsFreed: Bool = true) { self.keepsFreed = keepsFreed }

  deinit { dropFree() }

  /// Memory with arbitrary contents.
  public func allocate(byteCount: Int) -> Buffer {
    let size = Self.roundedUp(byteCount)
    let kept = state.withLock { state -> Block? in
      state.liveBytes += size
      state.peakBytes = max(state.peakBytes, state.liveBytes)
      return state.free[size]?.popLast()
    }
    let pointer = kept?.pointer ?? UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    return Buffer(pointer: pointer, byteCount: size, pool: self)
  }

  /// Bytes in use now, and the most that were in use at once.
  public var usage: (live: Int, peak: Int) { state.withLock { ($0.liveBytes, $0.peakBytes) } }

  /// Bytes that are freed and wait for the next of their size.
  public var keptBytes: Int { state.withLock { $0.free.reduce(0) { $0 + $1.key * $1.value.count } } }

  /// Returns the kept blocks to the system.
  public func dropFree() {
    state.withLock { state in
      for blocks in state.free.values { for block in blocks { block.pointer.deallocate() } }
      state.free = [:]
    }
  }

  fileprivate func giveBack(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
    let block = Block(pointer: pointer)
    let keepsFreed = keepsFreed
    state.withLock { state in
      state.liveBytes -= byteCount
      if keepsFreed { state.free[byteCount, default: []].append(block) }
    }
    if !keepsFreed { pointer.deallocate() }
  }

  static func roundedUp(_ byteCount: Int) -> Int {
    let least = max(byteCount, 64)
    let powerOfTwo = 1 << (Int.bitWidth - 1 - least.leadingZeroBitCount)
    let step = max(64, powerOfTwo / 8)
    return (least + step - 1) / step * step
  }
}
