import Errors

/// Which training timesteps are drawn, each with equal probability.
public enum TimestepWindow: Sendable, Equatable, Codable {
  case uniform
  /// Both ends included.
  case range(ClosedRange<Int>)

  /// Where the subject of a picture is decided: learning there is faster and better than over all timesteps.
  public static let noisy = TimestepWindow.range(500...900)

  /// Reads `uniform` or `A-B`; nil for anything else.
  public init?(_ text: String) {
    if text == "uniform" {
      self = .uniform
      return
    }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else { return nil }
    self = .range(first...last)
  }

  func range(trainTimesteps: Int) -> Range<Int> {
    switch self {
    case .uniform: 0..<trainTimesteps
    case .range(let range): range.lowerBound..<range.upperBound + 1
    }
  }

  func check(trainTimesteps: Int) throws {
    let range = range(trainTimesteps: trainTimesteps)
    guard range.lowerBound >= 0, range.upperBound <= trainTimesteps else {
      throw InversionError(
        .invalidArgument,
        "timesteps '\(range.lowerBound)-\(range.upperBound - 1)': the model has 0-\(trainTimesteps - 1)")
    }
  }
}

extension TimestepWindow: CustomStringConvertible {
  public var description: String {
    switch self {
    case .uniform: "uniform"
    case .range(let range): "\(range.lowerBound)-\(range.upperBound)"
    }
  }
}
