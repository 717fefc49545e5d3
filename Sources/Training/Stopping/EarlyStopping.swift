import Errors

/// When a training ends before its last step.
public struct StoppingSettings: Sendable, Equatable, Codable {
  /// Stops when the validation loss has settled (DVAR, Voronov et al. 2023).
  public var isAutomatic = true
  /// Steps between validations.
  public var interval = 10
  /// Validations over which the loss has to be settled.
  public var window = 5
  /// Share of the whole run's variance under which the window's must fall.
  public var threshold = 0.001

  public init() {}

  func check() throws {
    guard interval > 0, window > 1 else {
      throw InversionError(.invalidArgument, "a validation each '\(interval)' steps: give 1 or more")
    }
    guard threshold.isFinite, threshold > 0 else {
      throw InversionError(.invalidArgument, "a stopping threshold of '\(threshold)': give one above 0, usually 0.001")
    }
  }
}

/// The validation losses of a training, the best state among them, and whether it may end.
struct EarlyStopping: Sendable, Equatable, Codable {
  /// A state that was validated.
  struct Best: Sendable, Equatable, Codable {
    let loss: Double
    let step: Int
    /// (n, width)
    let rows: [Double]
  }

  /// In the order of the validations, the initial vectors' first.
  private(set) var losses: [Double] = []
  private(set) var best: Best?

  mutating func add(_ loss: Double, step: Int, rows: [Double]) {
    losses.append(loss)
    if loss < best?.loss ?? .infinity { best = Best(loss: loss, step: step, rows: rows) }
  }

  /// Whether the last losses vary so little, against all, that more steps will not change much.
  func hasSettled(_ settings: StoppingSettings) -> Bool {
    guard losses.count > settings.window else { return false }
    let whole = variance(losses[...])
    return whole > 0 && variance(losses.suffix(settings.window)) < settings.threshold * whole
  }
}

func variance(_ values: ArraySlice<Double>) -> Double {
  let mean = values.reduce(0, +) / Double(values.count)
  return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
}
