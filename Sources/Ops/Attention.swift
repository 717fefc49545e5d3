import Kernels
import Tensors

extension Tape {
  /// Multi-head attention, softmax(Q Kᵀ / sqrt(d)) V: q (B, Nq, C), k and v (B, Nk, C) -> (B, Nq, C); head h owns
  /// channels h*d..<(h+1)*d. `causal`: row i sees keys 0...i. The scores never exist as a matrix, and the gradient has
  /// the same precision. A tape in f64 computes exactly, a tile of rows at a time.
  public func attention(
    _ q: Activation, _ k: Activation, _ v: Activation, heads: Int, causal: Bool = false,
    precision: AttentionPrecision = .f32
  ) -> Activation {
    precondition(k.shape == v.shape && q.batch == k.batch && q.channels == k.channels && q.channels % heads == 0)
    let y = output(q.shape, of: q, k, v)
    let geometry = AttentionGeometry(q: q, k: k, heads: heads, causal: causal)
    if dtype == .f64 {
      exactAttention(q, k, v, geometry, into: y)
      record(y, ExactAttentionRecord(q: q, k: k, v: v, geometry: geometry))
      return y
    }
    let shape = AttentionShape(
      batch: q.batch, queries: geometry.queries, keys: geometry.keys, heads: heads, width: geometry.width,
      causal: causal)
    let logSums = y.needsGradient ? allocate([q.batch, heads, geometry.queries]) : nil
    flashAttention(
      q: q.headRows, k: k.headRows, v: v.headRows, shape, precision, into: y.pointer, stride: y.channels,
      logSums: logSums?.pointer, pool: pool)
    if let logSums {
      record(
        y,
        FlashAttentionRecord(
          rows: [q, k, v, y].map { SavedRows($0, on: self) }, slots: [q.slot, k.slot, v.slot], logSums: logSums,
          shape: shape, precision: precision))
    }
    return y
  }
}

extension Activation {
  fileprivate var headRows: HeadRows { HeadRows(pointer, stride: channels) }
}

private struct FlashAttentionRecord: TapeRecord {
  /// Queries, keys, values and the output.
  let rows: [SavedRows]
  /// Of queries, keys and values.
  let slots: [Int?]
  let logSums: Activation
  let shape: AttentionShape
  let precision: AttentionPrecision

  func inputGradients(_ dy: Activation, on tape: Tape) {
    let saved = rows.map { $0.restored(on: tape) }
    let gradients = saved.prefix(slots.count).map { tape.allocate($0.shape) }
    // Of the rows, only pointers are in use while they are read.
    withExtendedLifetime(saved) {
      flashAttentionGradients(
        q: saved[0].headRows, k: saved[1].headRows, v: saved[2].headRows, y: saved[3].headRows, dy: dy.headRows,
        logSums: logSums.pointer, shape, precision,
        into: (gradients[0].pointer, gradients[1].pointer, gradients[2].pointer), pool: tape.pool)
    }
    for (gradient, slot) in zip(gradients, slots) { tape.accumulate(gradient, for: slot) }
  }
}

// MARK: Exact

extension Tape {
  fileprivate func exactAttention(
    _ q: Activation, _ k: Activation, _ v: Activation, _ geometry: AttentionGeometry, into y: Activation
  ) {
    let tiles = geometry.tiles
    Parallel.forEach(q.batch * geometry.heads * tiles.count) { piece in
      let (head, tile) = (piece / tiles.count, tiles[piece % tiles.count])
      let scores = probabilities(q, k, geometry, head, tile)
      let (queries, keys) = (geometry.queryStart(head, tile), geometry.keyStart(head))
      matrixProduct(
        dtype, m: tile.count, n: geometry.width, k: geometry.keys, Matrix(scores.pointer, stride: geometry.keys),
        Matrix(v.at(keys), stride: v.channels), into: y.at(queries), stride: y.channels)
    }
  }

  /// With P recomputed: dV = Pᵀ dY, dP = dY Vᵀ, dS = P (dP - rowsum(dP P)) / sqrt(d), dQ = dS K, dK = dSᵀ Q.
  fileprivate func exactAttentionGradients(
    _ dy: Activation, _ q: Activation, _ k: Activation, _ v: Activation, _ geometry: AttentionGeometry
  ) -> (dq: Activation, dk: Activation, dv: Activation) {
    let (dq, dk, dv) = (allocate(q.shape), allocate(k.shape), allocate(v.shape))
    let (keys, width) = (geometry.keys, geometry.width)
    Parallel.forEach(q.batch * geometry.heads) { head in
      let keyStart = geometry.keyStart(head)
      for tile in geometry.tiles {
        let queryStart = geometry.queryStart(head, tile)
        let p = probabilities(q, k, geometry, head, tile)
        let ds = pool.allocate(byteCount: tile.count * keys * dtype.byteCount)
        let later: Double = tile.lowerBound == 0 ? 0 : 1
        matrixProduct(
          dtype, m: keys, n: width, k: tile.count, Matrix(p.pointer, stride: keys, transposed: true),
          Matrix(dy.at(queryStart), stride: dy.channels), beta: later, into: dv.at(keyStart), stride: dv.channels)
        matrixProduct(
          dtype, m: tile.count, n: keys, k: width, Matrix(dy.at(queryStart), stride: dy.channels),
          Matrix(v.at(keyStart), stride: v.channels, transposed: true), into: ds.pointer, stride: keys)
        kernels.softmax_rows_input_gradient(tile.count, keys, geometry.scale, p.pointer, ds.pointer)
        matrixProduct(
          dtype, m: tile.count, n: width, k: keys, Matrix(ds.pointer, stride: keys),
          Matrix(k.at(keyStart), stride: k.channels), into: dq.at(queryStart), stride: dq.channels)
        matrixProduct(
          dtype, m: keys, n: width, k: tile.count, Matrix(ds.pointer, stride: keys, transposed: true),
          Matrix(q.at(queryStart), stride: q.channels), beta: later, into: dk.at(keyStart), stride: dk.channels)
      }
    }
    return (dq, dk, dv)
  }

  /// softmax(Q Kᵀ / sqrt(d)) of one head and tile of rows: (tile, keys).
  private func probabilities(
    _ q: Activation, _ k: Activation, _ geometry: AttentionGeometry, _ head: Int, _ tile: Range<Int>
  ) -> Buffer {
    let keys = geometry.keys
    let scores = pool.allocate(byteCount: tile.count * keys * dtype.byteCount)
    matrixProduct(
      dtype, m: tile.count, n: keys, k: geometry.width,
      Matrix(q.at(geometry.queryStart(head, tile)), stride: q.channels),
      Matrix(k.at(geometry.keyStart(head)), stride: k.channels, transposed: true), into: scores.pointer, stride: keys)
    let visible = geometry.causal ? tile.lowerBound + 1 : keys
    kernels.softmax_rows(tile.count, keys, visible, geometry.scale, scores.pointer)
    return scores
  }
}

/// Where heads and tiles lie in (B, N, C) rows. A `head` counts through the batch: image * heads + head.
private struct AttentionGeometry {
  let queries: Int
  let keys: Int
  let heads: Int
  let width: Int
  let causal: Bool
  /// Tiles of query rows whose scores (tile, keys) stay in cache.
  let tiles: [Range<Int>]

  init(q: Activation, k: Activation, heads: Int, causal: Bool) {
    queries = q.rows / q.batch
    keys = k.rows / k.batch
    self.heads = heads
    width = q.channels / heads
    self.causal = causal
    let grain = 128
    let queries = queries
    tiles = stride(from: 0, to: queries, by: grain).map { $0..<min($0 + grain, queries) }
  }

  var scale: Double { 1 / Double(width).squareRoot() }

  /// First element of the head's tile in q.
  func queryStart(_ head: Int, _ tile: Range<Int>) -> Int {
    (head / heads * queries + tile.lowerBound) * heads * width + head % heads * width
  }

  /// First element of the head in k and v.
  func keyStart(_ head: Int) -> Int { head / heads * keys * heads * width + head % heads * width }
}

private struct ExactAttentionRecord: TapeRecord {
  let q: Activation
  let k: Activation
  let v: Activation
  let geometry: AttentionGeometry

  func inputGradients(_ dy: Activation, on tape: Tape) {
    let (dq, dk, dv) = tape.exactAttentionGradients(dy, q, k, v, geometry)
    tape.accumulate(dq, for: q.slot)
    tape.accumulate(dk, for: k.slot)
    tape.accumulate(dv, for: v.slot)
  }
}
