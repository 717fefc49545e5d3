import Images

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Which part of a picture may change: a weight for each pixel.
struct Mask {
  let width: Int
  let height: Int
  /// (height, width), 255 may change
  let values: [UInt8]

  private init(width: Int, height: Int, values: [UInt8]) {
    self.width = width
    self.height = height
    self.values = values
  }

  /// The brightness of a picture, by the weights of ITU-R 601.
  init(_ picture: Picture) {
    width = picture.width
    height = picture.height
    values = (0..<picture.width * picture.height).map { pixel in
      let (red, green, blue) = (
        Int(picture.pixels[3 * pixel]), Int(picture.pixels[3 * pixel + 1]), Int(picture.pixels[3 * pixel + 2])
      )
      return UInt8((red * 299 + green * 587 + blue * 114 + 500) / 1000)
    }
  }

  /// Softened by a Gaussian of this deviation in pixels; beyond the edge the mask goes on as it is there.
  func blurred(_ deviation: Double) -> Mask {
    guard deviation > 0 else { return self }
    let radius = Int(2.5 * deviation + 0.5)
    let weights = (-radius...radius).map { exp(-Double($0 * $0) / (2 * deviation * deviation)) }
    let sum = weights.reduce(0, +)
    let kernel = weights.map { Float($0 / sum) }
    let rows = Self.blurred(values.map(Float.init), kernel, lines: height, length: width, stride: 1, next: width)
    let both = Self.blurred(rows, kernel, lines: width, length: height, stride: width, next: 1)
    return Mask(width: width, height: height, values: both.map { UInt8(min(max($0.rounded(), 0), 255)) })
  }

  /// Blurs along lines whose values are `stride` apart and whose starts are `next` apart.
  private static func blurred(
    _ values: [Float], _ kernel: [Float], lines: Int, length: Int, stride: Int, next: Int
  ) -> [Float] {
    let radius = kernel.count / 2
    var out = values
    for line in 0..<lines {
      for position in 0..<length {
        var sum: Float = 0
        for (index, weight) in kernel.enumerated() {
          let source = min(max(position + index - radius, 0), length - 1)
          sum += weight * values[line * next + source * stride]
        }
        out[line * next + position * stride] = sum
      }
    }
    return out
  }

  /// Whether each latent may change: (height / factor, width / factor), by the pixel in its top left corner, as
  /// PyTorch's `nearest` takes it.
  func latent(factor: Int) -> [Bool] {
    (0..<height / factor).flatMap { y in
      (0..<width / factor).map { x in values[y * factor * width + x * factor] >= 128 }
    }
  }
}
