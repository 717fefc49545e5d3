/// Moves the rows (n, width) of a learned word against their gradient.
protocol EmbeddingOptimizer: Sendable {
  var rows: [Double] { get }
  /// All that a later step depends on.
  var state: OptimizerState { get set }
  /// Takes a step; `gradient` has the shape of the rows.
  mutating func step(gradient: [Double], learningRate: Double)
}

/// What an optimizer remembers between steps; what it does not have stays empty.
struct OptimizerState: Sendable, Equatable, Codable {
  /// (n, width): vectors, or directions.
  var rows: [Double]
  var firstMoment: [Double] = []
  var secondMoment: [Double] = []
  /// Moments' decays to the power of the steps taken.
  var decays: [Double] = []
}

/// AdamW (Loshchilov and Hutter 2019) with PyTorch's defaults. diffusers' script holds the whole token table in it and
/// puts all other rows back after each step, which is the same for the learned ones.
struct AdamW: EmbeddingOptimizer {
  private static let (beta1, beta2, epsilon, weightDecay) = (0.9, 0.999, 1e-8, 1e-2)

  var state: OptimizerState
  private let anchor: Anchor?
  /// Length to which each row is brought after a step; nil leaves it free.
  private let norm: Double?
  private let width: Int

  /// Rows that the vectors are drawn back to, by an L2 term of this weight.
  struct Anchor: Sendable {
    let rows: [Double]
    let weight: Double
  }

  init(rows: [Double], width: Int, norm: Double? = nil, anchor: Anchor? = nil) {
    let zeros = rows.map { _ in 0.0 }
    state = OptimizerState(
      rows: norm.map { rescaled(rows, width: width, to: $0) } ?? rows, firstMoment: zeros, secondMoment: zeros,
      decays: [1, 1])
    (self.width, self.norm, self.anchor) = (width, norm, anchor)
  }

  var rows: [Double] { state.rows }

  mutating func step(gradient: [Double], learningRate: Double) {
    precondition(gradient.count == state.rows.count)
    state.decays[0] *= Self.beta1
    state.decays[1] *= Self.beta2
    for (index, slope) in gradient.enumerated() {
      let slope = slope + (anchor.map { 2 * $0.weight * (state.rows[index] - $0.rows[index]) } ?? 0)
      state.firstMoment[index] += (1 - Self.beta1) * (slope - state.firstMoment[index])
      state.secondMoment[index] += (1 - Self.beta2) * (slope * slope - state.secondMoment[index])
      let mean = state.firstMoment[index] / (1 - state.decays[0])
      let deviation = (state.secondMoment[index] / (1 - state.decays[1])).squareRoot()
      state.rows[index] *= 1 - learningRate * Self.weightDecay
      state.rows[index] -= learningRate * mean / (deviation + Self.epsilon)
    }
    if let norm { state.rows = rescaled(state.rows, width: width, to: norm) }
  }
}

/// Directional Textual Inversion (2025): each row is `norm` times a unit vector v, which moves on the sphere by steps
/// of equal length against the gradient's tangential part; a weak prior pulls it towards the initializer.
struct DirectionalDescent: EmbeddingOptimizer {
  /// kappa of the von Mises-Fisher prior, and what keeps a zero gradient from dividing by zero.
  private static let (prior, epsilon) = (1e-4, 1e-8)

  var state: OptimizerState
  private let norm: Double
  private let width: Int
  /// The initializer's direction, one a row.
  private let priorMeans: [Double]

  init(rows: [Double], width: Int, norm: Double) {
    (self.width, self.norm) = (width, norm)
    priorMeans = rescaled(rows, width: width, to: 1)
    state = OptimizerState(rows: priorMeans)
  }

  var rows: [Double] { state.rows.map { norm * $0 } }

  mutating func step(gradient: [Double], learningRate: Double) {
    precondition(gradient.count == state.rows.count)
    for start in stride(from: 0, to: gradient.count, by: width) {
      let row = start..<start + width
      let v = state.rows[row]
      var g = zip(gradient[row], priorMeans[row]).map { $0 - Self.prior * $1 }
      let radial = dot(g[...], v)
      g = zip(g, v).map { $0 - radial * $1 }
      let length = dot(g[...], g[...]).squareRoot() + Self.epsilon
      let moved = zip(v, g).map { $0 - learningRate * $1 / length }
      state.rows.replaceSubrange(row, with: rescaled(moved, width: width, to: 1))
    }
  }
}

func dot(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

/// The length of a vector.
func norm(_ vector: ArraySlice<Double>) -> Double { dot(vector, vector).squareRoot() }

/// Rows (n, width), each of length `length`; rows of zeros stay.
func rescaled(_ rows: [Double], width: Int, to length: Double) -> [Double] {
  stride(from: 0, to: rows.count, by: width).flatMap { start in
    let row = rows[start..<start + width]
    let old = norm(row)
    return row.map { old == 0 ? 0 : length * ($0 / old) }
  }
}
