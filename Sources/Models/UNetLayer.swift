import Ops

/// A resnet and the transformer behind it, where there is one: what a way back that recomputes runs again at once.
struct UNetLayer {
  let resnet: ResnetBlock2D
  let attention: Transformer2D?

  /// `inputs`: x (B, H, W, C), or two whose channels are put side by side.
  func callAsFunction(
    _ inputs: [Activation], timeVector: Activation, _ context: some CrossAttentionContext, on tape: Tape
  ) -> Activation {
    guard tape.recording, tape.recomputes else { return run(inputs, timeVector, context, tape) }
    // The context's gradient is wanted too, so its rows go in as inputs.
    let sources = attention.map { RecordedContext(of: $0.crossAttentions, from: context) }
    return tape.checkpoint(inputs + (sources?.rows ?? [])) { tape, values in
      let (inputs, rows) = (Array(values.prefix(inputs.count)), Array(values.dropFirst(inputs.count)))
      guard let sources else { return [run(inputs, timeVector, context, tape)] }
      return [run(inputs, timeVector, sources.replacing(rows), tape)]
    }[0]
  }

  private func run(
    _ inputs: [Activation], _ timeVector: Activation, _ context: some CrossAttentionContext, _ tape: Tape
  ) -> Activation {
    let x = inputs.count == 2 ? tape.concatChannels(inputs[0], inputs[1]) : inputs[0]
    let h = resnet(x, timeVector: timeVector, on: tape)
    return attention.map { $0(h, context, on: tape) } ?? h
  }
}

/// What a few cross-attentions were given, as a list of activations.
private struct RecordedContext: CrossAttentionContext {
  private let layers: [Int]
  /// Keys and values of each layer in turn.
  let rows: [Activation]

  init(of layers: [Int], from context: some CrossAttentionContext) {
    self.layers = layers
    rows = layers.flatMap { layer -> [Activation] in
      let (keys, values) = context.rows(layer: layer)
      return [keys, values]
    }
  }

  private init(layers: [Int], rows: [Activation]) {
    self.layers = layers
    self.rows = rows
  }

  func replacing(_ rows: [Activation]) -> RecordedContext { RecordedContext(layers: layers, rows: rows) }

  func rows(layer: Int) -> (keys: Activation, values: Activation) {
    guard let index = layers.firstIndex(of: layer) else { preconditionFailure("a cross-attention of another layer") }
    return (rows[2 * index], rows[2 * index + 1])
  }
}
