import Kernels
import Tensors

extension Tape {
  /// Multi-head attention, softmax(Q Kᵀ / sqrt(d)) V: q (B, Nq, C), k and v (B, Nk, C) -> (B, Nq, C); head h owns
  /// channels h*d..<(h+1)*d. `causal`: row i sees keys 0...i. Where no gradient is wanted, the scores never exist as a
  /// matrix; else they do a tile of rows at a time, as in the gradient, and the precision is the tape's.
  public func attention(
    _ q: Activation, _ k: Activation, _ v: Activation, heads: Int, causal: Bool = false,
    precision: AttentionPrecision = .f32
  ) -> Activation {
    precondition(k.shape == v.shape && q.batch == k.batch && q.channels == k.channels && q.channels % heads == 0)
    let y = output(q.shape, of: q, k, v)
    let geometry = AttentionGeometry(q: q, k: k, heads: heads, causal: causal)
    if dtype == .f32 && !y.needsGradient {
      let shape = AttentionShape(
        batch: q.batch, queries: geometry.queries, keys: geometry.keys, heads: heads, width: geometry.width,
        causal: causal)
      flashAttention(
        q: HeadRows(q.pointer, stride: q.channels), k: HeadRows(k.pointer, stride: k.channels),
        v: HeadRows(v.pointer, stride: v.channels), shape, precision, into: y.pointer,
        stride: y.channels, pool: pool)
      return y
    }
    let tiles = geometry.tiles
    Parallel.forEach(q.batch * heads * tiles.count) { piece in
      let (head, tile) = (piece / tiles.count, tiles[piece % tiles.count])
      let scores = probabilities(q, k, geometry, head, tile)
      let (queries, keys) = (geometry.queryStart(head, tile), geometry.keyStart(head))
      matrixProduct(
        dtype, m: tile.count, n: geometry.width, k: geometry.keys, Matrix(scores.pointer, stride: geometry.keys),
        Matrix(v.at(keys), stride: v.channels), into: y.at(queries), stride: y.channels)
    }
    record(y, AttentionRecord(q: q, k: k, v: v, geometry: geometry))
    return y
  }

  /// With P recomputed: dV = Pᵀ dY, dP = dY Vᵀ, dS = P (dP - rowsum(dP P)) / sqrt(d), dQ = dS K, dK = dSᵀ Q.
  func attentionInputGradients(
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
struct AttentionGeometry {
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

private struct AttentionRecord: TapeRecord {
  let q: Activation
  let k: Activation
  let v: Activation
  let geometry: AttentionGeometry

  func inputGradients(_ dy: Activation, on tape: Tape) {
    let (dq, dk, dv) = tape.attentionInputGradients(dy, q, k, v, geometry)
    tape.accumulate(dq, for: q.slot)
    tape.accumulate(dk, for: k.slot)
    tape.accumulate(dv, for: v.slot)
  }
}
