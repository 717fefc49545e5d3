import Models
import Ops

/// DeepCache: how much of the U-Net's work steps share.
public struct DeepCaching: Sendable, Equatable {
  /// The whole network runs at every n-th call only.
  public var interval: Int
  /// Layers of the first block that run at every call.
  public var depth: Int

  public init(interval: Int, depth: Int = 1) {
    self.interval = interval
    self.depth = depth
  }
}

/// What a request keeps of the U-Net's work from step to step, where it asks for that: the outputs of cross-attention
/// (T-GATE) and what the deep layers give (DeepCache).
final class StepReuse {
  /// What cross-attention is asked for.
  let context: GatedContext
  private(set) var features: DeepFeatures?
  private let gateStep: Int?
  private let deepCaching: DeepCaching?
  /// Calls of the U-Net since its deep layers ran.
  private var shallowCalls = 0

  /// - Parameters:
  ///   - first: the first context.
  ///   - firstStep: the first step that is taken, from 0.
  init(
    _ request: GenerationRequest, first: ConstantContext, firstStep: Int, isGuided: Bool, on tape: Tape
  ) {
    context = GatedContext(first, halves: isGuided, on: tape)
    deepCaching = request.deepCaching
    features = request.deepCaching.map { DeepFeatures(depth: $0.depth) }
    // A start behind the gate keeps what the first step gives.
    gateStep = request.gateStep.map { max($0 - 1, firstStep) }
  }

  /// Whether a step (from 0) takes cross-attention's outputs from an earlier one, and goes without guidance.
  func isGated(step: Int) -> Bool { gateStep.map { step > $0 } ?? false }

  /// Says which step comes.
  func begin(step: Int) {
    context.phase = isGated(step: step) ? .reuse : step == gateStep ? .keep : .attend
    // At the gate, every cross-attention must run; behind it, there are half as many pictures.
    if step == gateStep || step - 1 == gateStep { forget() }
  }

  /// Says that the U-Net will be called; a step may call it twice.
  func beginCall() {
    guard let deepCaching else { return }
    if shallowCalls >= deepCaching.interval - 1 || context.phase == .keep { forget() }
    shallowCalls = features?.isEmpty == false ? shallowCalls + 1 : 0
  }

  private func forget() { features?.forget() }
}

/// A context whose cross-attentions can be kept at one step and given again at those after it (T-GATE, Zhang et al.
/// 2024): in the second half of the steps, the prompt has done its work.
final class GatedContext: CrossAttentionContext {
  enum Phase {
    case attend, keep, reuse
  }

  var base: ConstantContext
  var phase = Phase.attend
  /// Whether a batch has the negative prompt's half before the prompt's: their mean is kept.
  private let halves: Bool
  private let tape: Tape
  private var kept: [Int: Activation] = [:]

  init(_ base: ConstantContext, halves: Bool, on tape: Tape) {
    self.base = base
    self.halves = halves
    self.tape = tape
  }

  func rows(layer: Int) -> (keys: Activation, values: Activation) { base.rows(layer: layer) }

  func output(layer: Int, _ attend: () -> Activation) -> Activation {
    switch phase {
    case .attend: return attend()
    case .keep:
      let output = attend()
      kept[layer] = mean(output)
      return output
    case .reuse:
      guard let output = kept[layer] else { preconditionFailure("no step kept cross-attention \(layer)") }
      return output
    }
  }

  /// Of both halves, or the one there is, as rows of its own.
  private func mean(_ output: Activation) -> Activation {
    let values = output.floats
    guard halves else { return tape.constant(output.shape, values) }
    let half = values.count / 2
    return tape.constant(
      [output.batch / 2] + output.shape.dropFirst(), (0..<half).map { 0.5 * (values[$0] + values[half + $0]) })
  }
}
