import Models
import Ops
import Tensors

/// CoRe's context term (2024): the words around the learned one should read as they do around the initializer, so that
/// prompts stay editable. It costs the text encoder alone.
struct ContextTerm {
  private let model: DiffusionModel
  private let memory: WorkingMemory
  /// With the learned word and with the initializer; only what follows the word can see it.
  private let contexts: [Context]

  private struct Context {
    let ids: [Int]
    /// Positions after the word, the end token included.
    let positions: Range<Int>
    /// The text encoder's output there under the initializer: (positions, width).
    let reference: [Double]
  }

  private static let templates = [
    "a photo of a {} in the desert", "a {} on the beach", "a painting of a {} in the snow", "a {} made of glass",
    "a {} on a red background", "a drawing of a {} at night", "a {} next to a house", "a blue {} under a tree",
  ]
  /// Contexts of a step; they take turns.
  private static let contextsAStep = 2

  /// - Throws: `promptTooLong`.
  init(word: [Int], initializer: [Int], model: DiffusionModel, memory: WorkingMemory) throws {
    self.model = model
    self.memory = memory
    let width = model.textEncoder.config.hiddenSize
    contexts = try Self.templates.map { template in
      let before = 1 + model.tokenizer.encode(template.pieces[0]).count
      // The end token closes the context.
      let length = model.tokenizer.encode(template.pieces[1]).count + 1
      let ids = try model.captionIDs(of: template, word: initializer)
      let states = model.textEncoder([ids], on: memory.makeTape()).doubles
      let start = before + initializer.count
      return Context(
        ids: try model.captionIDs(of: template, word: word),
        positions: before + word.count..<before + word.count + length,
        reference: Array(states[start * width..<(start + length) * width]))
    }
  }

  /// 1 - cosine on average over the contexts of a step, and its gradient with respect to `rows` (n, width).
  func lossAndGradient(rows: [Double], step: Int) -> (loss: Double, gradient: [Double]) {
    let chosen = (0..<Self.contextsAStep).map { contexts[(step * Self.contextsAStep + $0) % contexts.count] }
    let tape = memory.makeTape(recording: true)
    let width = model.textEncoder.config.hiddenSize
    let learned = tape.variable([rows.count / width, width], rows)
    let states = model.textEncoder(chosen.map(\.ids), learned: learned, on: tape)
    let (distances, slopes) = distances(states.doubles, chosen, tokens: states.shape[1])
    tape.backward([(states, tape.constant(states.shape, slopes.map(Float.init)))])
    return (mean(distances), tape.gradient(of: learned)?.doubles ?? rows.map { _ in 0 })
  }

  /// 1 - cosine on average over all contexts: 0 where the word does to its context what the initializer does.
  func drift(rows: [Double]) -> Double {
    let width = model.textEncoder.config.hiddenSize
    let tape = memory.makeTape()
    let learned = tape.constant([rows.count / width, width], rows.map(Float.init))
    let states = model.textEncoder(contexts.map(\.ids), learned: learned, on: tape)
    return mean(distances(states.doubles, contexts, tokens: states.shape[1]).0)
  }

  /// Of each context's positions 1 - cosine, and the slope of their mean at each element of `states` (B, tokens, C).
  private func distances(_ states: [Double], _ chosen: [Context], tokens: Int) -> ([Double], [Double]) {
    let width = model.textEncoder.config.hiddenSize
    let total = Double(chosen.reduce(0) { $0 + $1.positions.count })
    var (distances, slopes) = ([Double](), states.map { _ in 0.0 })
    for (index, context) in chosen.enumerated() {
      for (place, position) in context.positions.enumerated() {
        let start = (index * tokens + position) * width
        let u = states[start..<start + width]
        let v = context.reference[place * width..<(place + 1) * width]
        let (lengthU, lengthV) = (norm(u), norm(v))
        let cosine = dot(u, v) / (lengthU * lengthV)
        distances.append(1 - cosine)
        for (offset, (a, b)) in zip(u, v).enumerated() {
          slopes[start + offset] = (cosine * a / (lengthU * lengthU) - b / (lengthU * lengthV)) / total
        }
      }
    }
    return (distances, slopes)
  }
}
