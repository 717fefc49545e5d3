import Ops

/// Moves the rows (n, width) of a learned word against their gradient.
protocol EmbeddingOptimizer: Sendable {
  var rows: [Double] { get }
  /// Takes a step; `gradient` has the shape of the rows.
  mutating func step(gradient: [Double])
}

extension TrainingSettings {
  /// All vectors start from the initializer's row in `table`.
  func optimizer(_ table: TokenEmbedding, initializer: Int) -> any EmbeddingOptimizer {
    let initial = table.row(initializer).map(Double.init)
    let rows = Array(repeating: initial, count: vectors)
    switch method {
    case .plain: return AdamW(rows: rows.flatMap(\.self), learningRate: effectiveLearningRate)
    case .directional:
      let norm =
        switch norm {
        case .vocabulary: table.meanNorm
        case .initializer: initial.reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
      return DirectionalDescent(initial: rows, norm: norm, learningRate: effectiveLearningRate)
    }
  }
}

/// AdamW (Loshchilov and Hutter 2019) with PyTorch's defaults. diffusers' script holds the whole token table in it and
/// puts all other rows back after each step, which is the same for the learned ones.
struct AdamW: EmbeddingOptimizer {
  private static let (beta1, beta2, epsilon, weightDecay) = (0.9, 0.999, 1e-8, 1e-2)

  private(set) var rows: [Double]
  private let learningRate: Double
  private var firstMoment: [Double]
  private var secondMoment: [Double]
  /// beta1 and beta2 to the power of the steps taken.
  private var (decay1, decay2) = (1.0, 1.0)

  init(rows: [Double], learningRate: Double) {
    self.rows = rows
    self.learningRate = learningRate
    firstMoment = rows.map { _ in 0 }
    secondMoment = firstMoment
  }

  mutating func step(gradient: [Double]) {
    precondition(gradient.count == rows.count)
    decay1 *= Self.beta1
    decay2 *= Self.beta2
    for (index, slope) in gradient.enumerated() {
      firstMoment[index] += (1 - Self.beta1) * (slope - firstMoment[index])
      secondMoment[index] += (1 - Self.beta2) * (slope * slope - secondMoment[index])
      let mean = firstMoment[index] / (1 - decay1)
      let deviation = (secondMoment[index] / (1 - decay2)).squareRoot()
      rows[index] *= 1 - learningRate * Self.weightDecay
      rows[index] -= learningRate * mean / (deviation + Self.epsilon)
    }
  }
}

/// Directional Textual Inversion (2025): each row is `norm` times a unit vector v, which moves on the sphere by steps
/// of equal length against the gradient's tangential part; a weak prior pulls it towards the initializer.
struct DirectionalDescent: EmbeddingOptimizer {
  /// kappa of the von Mises-Fisher prior, and what keeps a zero gradient from dividing by zero.
  private static let (prior, epsilon) = (1e-4, 1e-8)

  private let norm: Double
  private let learningRate: Double
  /// The initializer's direction, one a row.
  private let priorMeans: [[Double]]
  private var directions: [[Double]]

  init(initial: [[Double]], norm: Double, learningRate: Double) {
    self.norm = norm
    self.learningRate = learningRate
    priorMeans = initial.map(Self.unit)
    directions = priorMeans
  }

  var rows: [Double] { directions.flatMap { $0.map { norm * $0 } } }

  mutating func step(gradient: [Double]) {
    let width = directions[0].count
    precondition(gradient.count == width * directions.count)
    for row in directions.indices {
      let v = directions[row]
      var g = zip(gradient[row * width..<(row + 1) * width], priorMeans[row]).map { $0 - Self.prior * $1 }
      let radial = Self.dot(g, v)
      g = zip(g, v).map { $0 - radial * $1 }
      let length = Self.dot(g, g).squareRoot() + Self.epsilon
      directions[row] = Self.unit(zip(v, g).map { $0 - learningRate * $1 / length })
    }
  }

  private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

  private static func unit(_ vector: [Double]) -> [Double] {
    let length = dot(vector, vector).squareRoot()
    return vector.map { $0 / length }
  }
}
