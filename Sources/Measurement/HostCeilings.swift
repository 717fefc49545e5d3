import Kernels
import Tensors

/// What this machine does at most, as this engine uses it.
public struct HostCeilings: Sendable {
  /// Operations a second of int8 products whose operands are in cache, on all threads; a multiplication and an addition
  /// are two.
  public let int8OperationsPerSecond: Double
  /// Bytes a second read from memory, on all threads.
  public let readBytesPerSecond: Double

  /// Takes about half a second.
  public static func measure() -> HostCeilings {
    HostCeilings(int8OperationsPerSecond: int8Products(), readBytesPerSecond: reading())
  }

  private static func int8Products() -> Double {
    let pool = BufferPool()
    // A piece of the rows and all the weights fit a second-level cache; there are pieces for 16 threads.
    let (rows, depth, outputs) = (3072, 1024, 128)
    let elements = pool.allocate(byteCount: rows * depth * 4)
    elements.pointer.initializeMemory(as: Float.self, repeating: 0.5, count: rows * depth)
    let weight = Weight(pointer: elements.pointer, dtype: .f32, shape: [outputs, depth], owner: elements)
    let packed = PackedWeight(weight, pool: pool)
    let inputs = [QuantisedRows(elements.pointer, rows: rows, channels: depth, pool: pool)]
    let outcome = pool.allocate(byteCount: rows * outputs * 4)
    let window = Window.rows(rows, channels: depth)
    let repeats = 10
    let time = medianSeconds(runs: 7) {
      for _ in 0..<repeats {
        packed.product(inputs, window: window, PackedWeight.Epilogue(bias: nil), into: outcome.pointer)
      }
    }
    return Double(packed.operations(rows: rows, window) * repeats) / time
  }

  private static func reading() -> Double {
    let (pool, threads) = (BufferPool(), Parallel.threads)
    // Larger than any cache that is shared with nobody.
    let words = 16 << 20
    let blocks = (0..<threads).map { _ in pool.allocate(byteCount: words * 8) }
    for block in blocks { block.pointer.initializeMemory(as: Int.self, repeating: 1, count: words) }
    let sums = pool.allocate(byteCount: threads * 64)
    let time = medianSeconds(runs: 3) {
      Parallel.forEach(threads) { thread in
        let values = UnsafeBufferPointer(start: blocks[thread].pointer.assumingMemoryBound(to: Int.self), count: words)
        sums.pointer.storeBytes(of: values.reduce(0, &+), toByteOffset: thread * 64, as: Int.self)
      }
    }
    return Double(threads * words * 8) / time
  }
}
