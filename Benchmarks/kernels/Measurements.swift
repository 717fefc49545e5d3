import CCeilings
import Kernels
import Ops
import Tensors

/// A shape's time, and what the processor's ceiling was meanwhile.
struct Measured {
  var milliseconds: Double
  /// 10^9 operations a second; nil where the processor lacks the instructions, or where nobody asked.
  var ceiling: Double?
}

/// Times of one shape on all threads, through the ops that a network calls.
struct Measurements {
  let runs: Int
  private let pool = BufferPool()

  init(runs: Int) { self.runs = runs }

  /// The best of several runs after one: other work, a neighbour's on the same processor too, can only slow it down.
  func milliseconds(_ body: () -> Void) -> Double { measured(body, beside: nil).milliseconds }

  /// The same with a turn of the ceiling's loop before each run: a processor's clock moves with its heat and its
  /// neighbours, so a share of the ceiling is told only between times that stand side by side.
  func measured(_ body: () -> Void, beside ceiling: Ceiling?) -> Measured {
    body()
    let clock = ContinuousClock()
    var (times, rates): ([Double], [Double]) = ([], [])
    for _ in 0..<runs {
      if let ceiling { rates.append(ceiling.rate()) }
      times.append(clock.measure(body) / .milliseconds(1))
    }
    return Measured(milliseconds: times.min() ?? 0, ceiling: rates.max())
  }

  /// A product with int8 weights, or with weights in f16 where a plan keeps those. Quantising the rows of x is not part
  /// of it: the layers of a network share that.
  func product(m: Int, n: Int, k: Int, taps: Int, stride: Int, half: Bool, beside ceiling: Ceiling?) -> Measured {
    let tape = Tape(recording: false, pool: pool)
    let weight = random([n, taps * k])
    let kernel = taps == 1 ? 1 : 3
    let shaped = taps == 1 ? weight : weight.reshaped([n, kernel, kernel, k])
    let narrow = half ? LayerWeight.half(narrowed(shaped)) : .int8(PackedWeight(shaped, pool: pool))
    if taps == 1 {
      let x = tape.constant([1, m, k], values(m * k))
      return measured({ _ = tape.linear(x, Linear(weight: narrow, bias: nil)).pointer }, beside: ceiling)
    }
    // A guided step has two square pictures.
    let side = Int(Double(m / 2).squareRoot()) * stride
    let x = tape.constant([2, side, side, k], values(2 * side * side * k))
    let layer = Conv2d(weight: narrow, bias: nil, stride: stride, padding: (1, 1))
    return measured({ _ = tape.conv2d(x, layer).pointer }, beside: ceiling)
  }

  /// The same product in f32 by OpenBLAS, a convolution as if its patches were there.
  func sgemm(m: Int, n: Int, depth: Int) -> Double {
    let (x, w) = (random([m, depth]), random([n, depth]))
    let y = pool.allocate(byteCount: m * n * 4)
    let pieces = m >= 64 ? min(m / 32, 8 * Parallel.threads) : 1
    return milliseconds {
      Parallel.forEach(pieces) { piece in
        let rows = m * piece / pieces..<m * (piece + 1) / pieces
        matrixProduct(
          .f32, m: rows.count, n: n, k: depth, Matrix(x.pointer + rows.lowerBound * depth * 4, stride: depth),
          Matrix(w.pointer, stride: depth, transposed: true), into: y.pointer + rows.lowerBound * n * 4, stride: n)
      }
    }
  }

  func attention(
    _ shape: AttentionShape, _ precision: AttentionPrecision, beside ceiling: Ceiling? = nil
  ) -> Measured {
    let channels = shape.heads * shape.width
    let q = random([shape.batch * shape.queries, channels])
    let (k, v) = (random([shape.batch * shape.keys, channels]), random([shape.batch * shape.keys, channels]))
    let y = pool.allocate(byteCount: q.count * 4)
    let attend = {
      flashAttention(
        q: HeadRows(q.pointer, stride: channels), k: HeadRows(k.pointer, stride: channels),
        v: HeadRows(v.pointer, stride: channels), shape, precision, into: y.pointer, stride: channels, pool: pool)
    }
    return measured(attend, beside: ceiling)
  }

  /// The input gradients alone.
  func attentionGradients(_ shape: AttentionShape, _ precision: AttentionPrecision) -> Double {
    let channels = shape.heads * shape.width
    let (ofQueries, ofKeys) = ([shape.batch * shape.queries, channels], [shape.batch * shape.keys, channels])
    let (q, k, v, dy) = (random(ofQueries), random(ofKeys), random(ofKeys), random(ofQueries))
    let logSums = pool.allocate(byteCount: shape.batch * shape.heads * shape.queries * 4)
    let (y, dq) = (pool.allocate(byteCount: q.count * 4), pool.allocate(byteCount: q.count * 4))
    let (dk, dv) = (pool.allocate(byteCount: k.count * 4), pool.allocate(byteCount: k.count * 4))
    func rows(_ weight: Weight) -> HeadRows { HeadRows(weight.pointer, stride: channels) }
    flashAttention(
      q: rows(q), k: rows(k), v: rows(v), shape, precision, into: y.pointer, stride: channels, logSums: logSums.pointer,
      pool: pool)
    return milliseconds {
      flashAttentionGradients(
        q: rows(q), k: rows(k), v: rows(v), y: HeadRows(y.pointer, stride: channels), dy: rows(dy),
        logSums: logSums.pointer, shape, precision, into: (dq.pointer, dk.pointer, dv.pointer), pool: pool)
    }
  }

  /// Numbers in -1...1 without a short period.
  private func values(_ count: Int) -> [Float] {
    (0..<count).map { Float(($0 &* 2_654_435_761) & 0xFFFF) / 32768 - 1 }
  }

  private func random(_ shape: [Int]) -> Weight {
    let count = shape.reduce(1, *)
    let buffer = pool.allocate(byteCount: count * 4)
    buffer.pointer.copyMemory(from: values(count), byteCount: count * 4)
    return Weight(pointer: buffer.pointer, dtype: .f32, shape: shape, owner: buffer)
  }

  private func narrowed(_ weight: Weight) -> Weight {
    let buffer = pool.allocate(byteCount: weight.count * 2)
    let isDone = convert(count: weight.count, from: weight.pointer, as: .f32, to: buffer.pointer, as: .f16)
    precondition(isDone, "f32 converts to f16")
    return Weight(pointer: buffer.pointer, dtype: .f16, shape: weight.shape, owner: buffer)
  }
}
