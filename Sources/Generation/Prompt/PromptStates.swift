import Models
import Ops
import Synchronization

/// Hidden states of prompts, kept for the next request that asks for the same: the latest few.
final class PromptStates: Sendable {
  /// Entries, and bytes of hidden states.
  static let most = 8
  static let mostBytes = 4 << 20

  private struct Key: Hashable {
    let prompt: PromptChunks
    let clipSkip: Int
  }

  private struct State {
    /// The latest first.
    var entries: [(key: Key, states: [Float])] = []
    var runs = 0
  }

  private let state = Mutex(State())

  /// How often the text encoder has run.
  var runs: Int { state.withLock { $0.runs } }

  /// The hidden states of a prompt (chunks x tokens, C), weighted.
  /// - Parameter onTape: where the text encoder runs if it must.
  func states(_ prompt: PromptChunks, clipSkip: Int, _ model: DiffusionModel, on tape: Tape) -> [Float] {
    let key = Key(prompt: prompt, clipSkip: clipSkip)
    let kept = state.withLock { state -> [Float]? in
      guard let index = state.entries.firstIndex(where: { $0.key == key }) else { return nil }
      let entry = state.entries.remove(at: index)
      state.entries.insert(entry, at: 0)
      return entry.states
    }
    if let kept { return kept }
    let states = Self.encode(prompt, clipSkip: clipSkip, model, on: tape)
    state.withLock { state in
      state.runs += 1
      state.entries.insert((key, states), at: 0)
      while state.entries.count > Self.most || state.entries.reduce(0, { $0 + Self.bytes($1) }) > Self.mostBytes {
        state.entries.removeLast()
      }
    }
    return states
  }

  private static func bytes(_ entry: (key: Key, states: [Float])) -> Int {
    4 * entry.states.count
  }

  private static func encode(
    _ prompt: PromptChunks, clipSkip: Int, _ model: DiffusionModel, on tape: Tape
  ) -> [Float] {
    let width = model.textEncoder.config.hiddenSize
    let vectors = prompt.embeddings.flatMap(\.vectors)
    let learned = vectors.isEmpty ? nil : tape.constant([vectors.count / width, width], vectors)
    var states = model.textEncoder(prompt.chunks.map(\.ids), learned: learned, clipSkip: clipSkip, on: tape).floats
    let each = states.count / prompt.chunks.count
    for (index, chunk) in prompt.chunks.enumerated() where chunk.isWeighted {
      weigh(&states[index * each..<(index + 1) * each], chunk.weights, width: width)
    }
    return states
  }

  /// Multiplies each row by its weight, and all by what brings their mean back, as AUTOMATIC1111 does.
  private static func weigh(_ states: inout ArraySlice<Float>, _ weights: [Float], width: Int) {
    let before = states.reduce(0.0) { $0 + Double($1) }
    for (row, weight) in weights.enumerated() {
      let start = states.startIndex + row * width
      for index in start..<start + width { states[index] *= weight }
    }
    let after = states.reduce(0.0) { $0 + Double($1) }
    let scale = Float(before / after)
    guard scale.isFinite else { return }
    for index in states.indices { states[index] *= scale }
  }
}

/// What cross-attention sees at each step of a request.
struct StepContexts {
  private let encoding: PromptEncoding
  private let states: PromptStates
  private let model: DiffusionModel
  private let request: GenerationRequest
  private let isGuided: Bool
  private var latest: (prompts: [PromptChunks], context: ConstantContext)?

  init(_ encoding: PromptEncoding, _ states: PromptStates, _ request: GenerationRequest, _ model: DiffusionModel) {
    self.encoding = encoding
    self.states = states
    self.request = request
    self.model = model
    isGuided = request.isGuided(model)
  }

  /// Of the negative prompt for each picture, then of the prompt for each; of the prompt alone without guidance.
  /// - Parameter step: from 0.
  /// - Returns: and whether the text encoder may have run for it.
  mutating func context(step: Int, on tape: Tape) -> (ConstantContext, isNew: Bool) {
    let both = encoding.chunks(step: step)
    let prompts = isGuided ? [both.negative, both.positive] : [both.positive]
    if let latest, latest.prompts == prompts { return (latest.context, false) }
    let context = ConstantContext(rows(prompts, on: tape))
    latest = (prompts, context)
    return (context, true)
  }

  /// (prompts x count, tokens, C): the shorter prompt has chunks of the empty prompt behind it.
  private func rows(_ prompts: [PromptChunks], on tape: Tape) -> Activation {
    let width = model.textEncoder.config.hiddenSize
    let chunks = prompts.map(\.chunks.count).max() ?? 1
    let each = prompts.map { prompt -> [Float] in
      let own = states.states(prompt, clipSkip: request.clipSkip, model, on: tape)
      let missing = chunks - prompt.chunks.count
      guard missing > 0, let empty = try? model.framed([]) else { return own }
      let chunk = PromptChunks.Chunk(ids: empty, weights: Array(repeating: 1, count: empty.count))
      let padding = states.states(PromptChunks(chunks: [chunk]), clipSkip: request.clipSkip, model, on: tape)
      return own + Array(repeating: padding, count: missing).joined()
    }
    let rows = each.flatMap { Array(repeating: $0, count: request.count).joined() }
    return tape.constant([prompts.count * request.count, each[0].count / width, width], rows)
  }
}
