import Tensors
import Testing

@testable import Ops

/// Gate (a): every op against finite differences in Double, relative 1e-6.
@Suite struct GradientTests {
  private static let pool = BufferPool()

  private static func weight(_ shape: [Int], seed: UInt64) -> Weight {
    var numbers = TestNumbers(seed: seed)
    let values = numbers.array(shape.reduce(1, *))
    let buffer = pool.allocate(byteCount: values.count * 8)
    buffer.pointer.copyMemory(from: values, byteCount: values.count * 8)
    return Weight(pointer: buffer.pointer, dtype: .f64, shape: shape, owner: buffer)
  }

  private static func norm(_ channels: Int) -> NormParameters {
    NormParameters(weight: weight([channels], seed: 5), bias: weight([channels], seed: 6), eps: 1e-5)
  }

  @Test(arguments: [1, 3, 130])
  func linear(rows: Int) {
    let layer = Linear(weight: Self.weight([5, 7], seed: 1), bias: Self.weight([5], seed: 2))
    expectGradients("linear", [[1, rows, 7]]) { [$0.linear($1[0], layer)] }
    let bare = Linear(weight: Self.weight([5, 7], seed: 1), bias: nil)
    expectGradients("linear without bias", [[1, rows, 7]]) { [$0.linear($1[0], bare)] }
  }

  /// Large enough to be cut into tiles, along rows and along columns.
  @Test(arguments: [(200, 40), (9, 300)])
  func linearInTiles(rows: Int, outputs: Int) {
    let layer = Linear(weight: Self.weight([outputs, 60], seed: 1), bias: Self.weight([outputs], seed: 2))
    expectGradients("tiled linear", [[1, rows, 60]]) { [$0.linear($1[0], layer)] }
  }

  @Test(arguments: [(3, 1, 1, 1), (3, 2, 1, 1), (3, 2, 0, 1), (1, 1, 0, 0), (1, 2, 0, 0), (5, 1, 2, 2)])
  func conv2d(kernel: Int, stride: Int, leading: Int, trailing: Int) {
    let layer = Conv2d(
      weight: Self.weight([4, kernel, kernel, 3], seed: 1), bias: Self.weight([4], seed: 2), stride: stride,
      padding: (leading, trailing))
    expectGradients("conv2d", [[2, 8, 6, 3]]) { [$0.conv2d($1[0], layer)] }
    expectGradients("conv2d on odd sizes", [[1, 7, 5, 3]]) { [$0.conv2d($1[0], layer)] }
  }

  @Test func norms() {
    expectGradients("layerNorm", [[2, 5, 12]]) { [$0.layerNorm($1[0], Self.norm(12))] }
    for groups in [1, 3, 12] {
      expectGradients("groupNorm \(groups)", [[2, 3, 4, 12]]) { [$0.groupNorm($1[0], Self.norm(12), groups: groups)] }
    }
    expectGradients("groupNorm in runs", [[1, 3, 3, 160]]) { [$0.groupNorm($1[0], Self.norm(160), groups: 20)] }
  }

  @Test(arguments: [ActivationFunction.silu, .gelu, .quickGELU])
  func activations(function: ActivationFunction) {
    expectGradients(function.rawValue, [[3, 40]]) { [$0.activation($1[0], function)] }
  }

  @Test func geglu() {
    expectGradients("geglu", [[2, 9, 14]]) { [$0.geglu($1[0])] }
  }

  @Test(arguments: [(7, 7, true), (7, 7, false), (4, 9, false), (150, 150, true), (140, 5, false)])
  func attention(queries: Int, keys: Int, causal: Bool) {
    expectGradients("attention", [[2, queries, 6], [2, keys, 6], [2, keys, 6]]) {
      [$0.attention($1[0], $1[1], $1[2], heads: 2, causal: causal)]
    }
  }

  @Test func sums() {
    expectGradients("add", [[2, 3, 4], [2, 3, 4]]) { [$0.add($1[0], $1[1])] }
    expectGradients("an input used twice", [[2, 3, 4]]) { [$0.add($1[0], $0.silu($1[0]))] }
    expectGradients("add to itself", [[2, 3]]) { [$0.add($1[0], $1[0])] }
    expectGradients("addToRows", [[2, 3, 3, 4]]) { tape, x in
      [tape.addToRows(x[0], tape.constant([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]))]
    }
  }

  @Test func shapes() {
    expectGradients("reshape", [[2, 3, 3, 4]]) { [$0.silu($0.reshape($1[0], [2, 9, 4]))] }
    expectGradients("concatChannels", [[2, 3, 4], [2, 3, 5]]) { [$0.concatChannels($1[0], $1[1])] }
    expectGradients("upsampleNearest2x", [[2, 3, 2, 4]]) { [$0.upsampleNearest2x($1[0])] }
  }

  @Test func tokenEmbedding() {
    let table = TokenEmbedding(tokens: Self.weight([10, 6], seed: 3), positions: Self.weight([5, 6], seed: 4))
    expectGradients("tokenEmbedding", [[2, 6]]) { tape, learned in
      [tape.tokenEmbedding([[1, 10, 2, 11, 10], [0, 3, 11, 9, 9]], table, learned: learned[0])]
    }
  }

  @Test func checkpoint() {
    let layer = Linear(weight: Self.weight([5, 5], seed: 1), bias: nil)
    expectGradients("checkpoint", [[2, 3, 5], [2, 3, 5]]) { tape, x in
      let inner = tape.checkpoint([x[0], x[1]]) { tape, x in
        let h = tape.silu(tape.linear(x[0], layer))
        return [tape.add(h, x[1]), h]
      }
      return [tape.add(inner[0], tape.silu(inner[1])), tape.silu(x[1])]
    }
    expectGradients("a checkpoint inside another, one output unused", [[2, 5]]) { tape, x in
      let outer = tape.checkpoint([x[0]]) { tape, x in
        let inner = tape.checkpoint([x[0]]) { tape, x in [tape.silu(tape.linear(x[0], layer))] }
        return [tape.silu(inner[0]), x[0]]
      }
      return [tape.silu(outer[0])]
    }
  }

  /// A recompute is worth it only if inner values really are dropped.
  @Test func checkpointKeepsLess() {
    func peak(_ run: (Tape, Activation) -> Activation) -> Int {
      let tape = Tape(dtype: .f64, recording: true)
      let x = tape.variable([64, 512], Array(repeating: 0.5, count: 64 * 512))
      let y = run(tape, x)
      return withExtendedLifetime(y) { tape.pool.usage.live }
    }
    func deep(_ tape: Tape, _ x: Activation) -> Activation { (0..<20).reduce(x) { h, _ in tape.silu(h) } }
    let kept = peak(deep)
    let recomputed = peak { tape, x in tape.checkpoint([x]) { tape, x in [deep(tape, x[0])] }[0] }
    #expect(recomputed * 8 < kept)
  }

  @Test func constantsCostNothing() {
    let tape = Tape(dtype: .f64, recording: true)
    let y = tape.silu(tape.constant([2, 3], [1, 2, 3, 4, 5, 6]))
    #expect(!y.needsGradient)
  }
}
