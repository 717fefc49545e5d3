extension Tape {
  /// Runs `block` without keeping its inner values and runs it again in the backward, so that a deep network needs the
  /// memory of its block boundaries and of one block at a time.
  ///
  /// `block` must compute the same from the same inputs: it may not use state that changes between the two runs.
  public func checkpoint(
    _ inputs: [Activation], _ block: @escaping (Tape, [Activation]) -> [Activation]
  ) -> [Activation] {
    guard recording, inputs.contains(where: { $0.needsGradient }) else { return block(self, inputs) }
    let runner = inner(recording: false)
    runner.observer = observer
    let constants = inputs.map { alias($0, slot: nil) }
    let outputs = block(runner, constants).map { output -> Activation in
      // Made now, since rows that wait keep what they are made of.
      _ = output.buffer
      return alias(output, slot: newSlot())
    }
    // One record per output would run the block once for each: the join record waits for all of them.
    let join = CheckpointRecord(inputs: inputs, outputs: outputs.map { ($0.slot, $0.shape) }, block: block)
    recordJoin(join, outputs: outputs.compactMap(\.slot))
    return outputs
  }

  /// A tape for a part of the work, under the same terms.
  fileprivate func inner(recording: Bool) -> Tape {
    let tape = Tape(dtype: dtype, recording: recording, pool: pool)
    tape.weightStream = weightStream
    tape.isStraightThrough = isStraightThrough
    tape.savesInt8 = savesInt8
    return tape
  }
}

extension Tape {
  /// x itself. On the way back, `body` is called when all that was computed from the result has been passed, and before
  /// what x was computed from.
  public func onTheWayBack(_ x: Activation, _ body: @escaping () -> Void) -> Activation {
    guard recording, x.needsGradient else { return x }
    let y = alias(x, slot: newSlot())
    record(y, MarkRecord(x: x.slot, body: body))
    return y
  }
}

private struct MarkRecord: TapeRecord {
  let x: Int?
  let body: () -> Void

  func inputGradients(_ dy: Activation, on tape: Tape) {
    body()
    tape.accumulate(dy, for: x)
  }
}

struct CheckpointRecord {
  let inputs: [Activation]
  let outputs: [(slot: Int?, shape: [Int])]
  let block: (Tape, [Activation]) -> [Activation]

  /// Runs the block again, recording, and goes back through it from the outputs' gradients that there are.
  func inputGradients(_ gradients: [Int: Activation], on tape: Tape) {
    let inner = tape.inner(recording: true)
    let leaves = inputs.map { tape.alias($0, slot: $0.needsGradient ? inner.newSlot() : nil) }
    let results = block(inner, leaves)
    var seeds: [(Activation, gradient: Activation)] = []
    for (result, output) in zip(results, outputs) {
      guard let slot = output.slot, let gradient = gradients[slot], result.needsGradient else { continue }
      seeds.append((result, gradient))
    }
    inner.backward(seeds)
    for (input, leaf) in zip(inputs, leaves) {
      if let gradient = inner.gradient(of: leaf) { tape.accumulate(gradient, for: input.slot) }
    }
  }
}
