import Errors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How long the steps of a training are.
public struct LearningRateSchedule: Sendable, Equatable, Codable {
  /// How the rate falls from the end of the warm-up to the last step; as diffusers' `get_scheduler` has it.
  public enum Shape: String, Sendable, Codable, CaseIterable {
    case constant, cosine, linear
  }

  /// A rate, and the last step at which it holds; nil for the rest of the training.
  public struct Piece: Sendable, Equatable, Codable {
    public let rate: Double
    public let lastStep: Int?
  }

  public let pieces: [Piece]
  public var shape = Shape.constant
  /// Steps over which the rate rises from 0.
  public var warmUp = 0

  public init(_ rate: Double) { pieces = [Piece(rate: rate, lastStep: nil)] }

  init(_ pieces: [Piece]) { self.pieces = pieces }

  /// Reads a rate, or AUTOMATIC1111's text: `0.005:100, 1e-3:1000, 1e-5` is 0.005 up to step 100, 0.001 up to step
  /// 1000, and 0.00001 from there on. After the last piece its rate goes on.
  /// - Throws: `invalidArgument` naming the piece.
  public init(text: String) throws(InversionError) {
    var pieces: [Piece] = []
    for (index, field) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
      func refusal(_ reason: String) -> InversionError {
        InversionError(
          .invalidArgument,
          "learning rate '\(text)', piece \(index + 1), '\(field.trimmingSpaces)': \(reason); "
            + "write a rate, or 'rate:last step, …' as in '0.005:100, 1e-3:1000, 1e-5'")
      }
      let parts = field.split(separator: ":", omittingEmptySubsequences: false).map(\.trimmingSpaces)
      guard parts.count <= 2, let rate = Double(parts[0]) else { throw refusal("no number") }
      guard rate.isFinite, rate > 0, rate <= 1 else { throw refusal("give a rate above 0, up to 1") }
      if let last = pieces.last, last.lastStep == nil { throw refusal("the piece before it has no last step") }
      guard parts.count == 2 else {
        pieces.append(Piece(rate: rate, lastStep: nil))
        continue
      }
      guard let step = Int(parts[1]), step > pieces.last?.lastStep ?? 0 else {
        throw refusal("the last step is no whole number above \(pieces.last?.lastStep ?? 0)")
      }
      pieces.append(Piece(rate: rate, lastStep: step))
    }
    self.pieces = pieces
  }

  /// The rate of a step.
  /// - Parameters:
  ///   - step: from 1.
  ///   - steps: of the whole training.
  func rate(step: Int, of steps: Int) -> Double {
    let rate = (pieces.first { $0.lastStep.map { step <= $0 } ?? true } ?? pieces[pieces.count - 1]).rate
    return rate * factor(done: step - 1, of: steps)
  }

  /// The step after which the last piece holds; 0 where there is only one.
  var lastChange: Int { pieces.dropLast().last?.lastStep ?? 0 }

  private func factor(done: Int, of steps: Int) -> Double {
    if done < warmUp { return Double(done) / Double(warmUp) }
    let progress = Double(done - warmUp) / Double(max(1, steps - warmUp))
    return switch shape {
    case .constant: 1
    case .cosine: max(0, 0.5 * (1 + cos(.pi * progress)))
    case .linear: max(0, 1 - progress)
    }
  }
}

extension LearningRateSchedule {
  func check() throws {
    for piece in pieces where !(piece.rate.isFinite && piece.rate > 0 && piece.rate <= 1) {
      throw InversionError(.invalidArgument, "a learning rate of '\(piece.rate)': give one above 0, up to 1")
    }
    guard warmUp >= 0 else { throw InversionError(.invalidArgument, "'\(warmUp)' steps of warm-up: give 0 or more") }
  }
}

extension LearningRateSchedule: ExpressibleByFloatLiteral {
  public init(floatLiteral value: Double) { self.init(value) }
}

extension LearningRateSchedule: CustomStringConvertible {
  /// In the words of the flags.
  public var description: String {
    let rates = pieces.map { piece in "\(piece.rate)" + (piece.lastStep.map { ":\($0)" } ?? "") }
    var text = rates.joined(separator: ", ")
    if shape != .constant { text += " \(shape.rawValue)" }
    if warmUp > 0 { text += " after \(warmUp) steps of warm-up" }
    return text
  }
}
