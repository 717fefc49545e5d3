import Ops
import Schedules

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The noise of a request's pictures: a generator for each, whose draws come in order, so that a picture is the same
/// alone and among others.
struct LatentNoise {
  private var generators: [NoiseGenerator]
  /// Of the first draw's mixture: seeds and strength.
  private let variation: Variation?
  private let rng: NoiseGenerator.Name
  /// (height, width, channels)
  private let shape: [Int]
  private var isFirst = true

  /// - Parameter shape: of one picture's latents, (height, width, channels).
  init(_ request: GenerationRequest, shape: [Int]) {
    generators = (0..<request.count).map { NoiseGenerator(request.rng, seed: request.seed(ofPicture: $0)) }
    variation = request.variation
    rng = request.rng
    self.shape = shape
  }

  /// The next draw of each picture: (count, height, width, channels).
  mutating func draw() -> [Float] {
    let (height, width, channels) = (shape[0], shape[1], shape[2])
    var planes: [Float] = []
    for picture in generators.indices {
      var own = generators[picture].normal(channels * height * width)
      if isFirst, let variation {
        var other = NoiseGenerator(rng, seed: variation.seed &+ UInt64(picture))
        own = Self.mixed(
          own, other.normal(own.count), Double(variation.strength), channels: channels, height: height, width: width)
      }
      planes += own
    }
    isFirst = false
    return rowsFromPlanes(planes, generators.count, channels, height, width)
  }

  /// Spherical interpolation of two draws (channels, height, width), column by column, as AUTOMATIC1111 does it: the
  /// angle is that between columns of pixels.
  private static func mixed(
    _ own: [Float], _ other: [Float], _ strength: Double, channels: Int, height: Int, width: Int
  ) -> [Float] {
    func column(_ channel: Int, _ x: Int) -> StrideTo<Int> {
      let first = channel * height * width + x
      return stride(from: first, to: first + height * width, by: width)
    }
    func cosine(_ column: StrideTo<Int>) -> Double {
      var (dot, ownSquare, otherSquare) = (0.0, 0.0, 0.0)
      for index in column {
        let (a, b) = (Double(own[index]), Double(other[index]))
        (dot, ownSquare, otherSquare) = (dot + a * b, ownSquare + a * a, otherSquare + b * b)
      }
      return dot / (ownSquare * otherSquare).squareRoot()
    }
    let columns = (0..<channels).flatMap { channel in (0..<width).map { column(channel, $0) } }
    let cosines = columns.map(cosine)
    // Nearly equal draws: the straight line.
    let isStraight = cosines.reduce(0, +) / Double(cosines.count) > 0.9995
    var result = own
    for (column, cosine) in zip(columns, cosines) {
      let (a, b) = isStraight ? (1 - strength, strength) : weights(angle: acos(cosine), strength)
      for index in column { result[index] = Float(a * Double(own[index]) + b * Double(other[index])) }
    }
    return result
  }

  private static func weights(angle: Double, _ strength: Double) -> (Double, Double) {
    (sin((1 - strength) * angle) / sin(angle), sin(strength * angle) / sin(angle))
  }
}
