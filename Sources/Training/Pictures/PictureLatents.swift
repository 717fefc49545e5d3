import Images
import Models
import Ops
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the VAE's encoder says of a picture: a normal distribution of latents, of which each step draws anew.
struct PictureLatents: Sendable {
  /// (h, w, channels)
  let shape: [Int]
  let mean: [Float]
  let standardDeviation: [Float]
  /// (h, w): how much each latent pixel counts, 1 on average; nil where all count alike.
  let mask: [Float]?
  private let scale: Float
  private let shift: Float

  /// Encodes a view, its mask being the mean of the pixels that a latent pixel stands for.
  init(_ view: PictureView, model: DiffusionModel, memory: WorkingMemory) {
    let plain = PictureLatents(view.picture, model: model, memory: memory)
    self.init(plain, mask: view.mask.map { Self.weights($0, height: plain.shape[0], width: plain.shape[1]) })
  }

  private init(_ other: PictureLatents, mask: [Float]?) {
    (shape, mean, standardDeviation) = (other.shape, other.mean, other.standardDeviation)
    (scale, shift, self.mask) = (other.scale, other.shift, mask)
  }

  private static func weights(_ mask: Picture, height: Int, width: Int) -> [Float] {
    let small = mask.resized(width: width, height: height, filter: .box)
    let shares = stride(from: 0, to: small.pixels.count, by: 3).map { Float(small.pixels[$0]) / 255 }
    let mean = shares.reduce(0, +) / Float(shares.count)
    // A crop may miss the concept: then nothing of it counts.
    return mean == 0 ? shares : shares.map { $0 / mean }
  }

  var fullMask: [Float] { Array(repeating: 1, count: shape[0] * shape[1]) }

  /// Encodes a picture whose sides are multiples of the model's.
  init(_ picture: Picture, model: DiffusionModel, memory: WorkingMemory) {
    let tape = memory.makeTape()
    let pixels = picture.pixels.map { Float($0) / 127.5 - 1 }
    let moments = model.autoencoder.encode(tape.constant([1, picture.height, picture.width, 3], pixels), on: tape)
    self.init(moments.floats, shape: Array(moments.shape.dropFirst()), model.autoencoder.config)
  }

  /// - Parameters:
  ///   - moments: (h, w, 2 * channels), means before log-variances.
  ///   - shape: of the moments.
  init(_ moments: [Float], shape: [Int], _ config: AutoencoderConfig) {
    let channels = shape[2] / 2
    var (mean, deviation): ([Float], [Float]) = ([], [])
    for pixel in stride(from: 0, to: moments.count, by: 2 * channels) {
      mean += moments[pixel..<pixel + channels]
      // As diffusers' DiagonalGaussianDistribution bounds it.
      deviation += moments[pixel + channels..<pixel + 2 * channels].map { exp(min(max($0, -30), 20) / 2) }
    }
    self.shape = [shape[0], shape[1], channels]
    self.mean = mean
    standardDeviation = deviation
    mask = nil
    scale = config.scalingFactor
    shift = config.shiftFactor
  }

  var count: Int { mean.count }

  /// Latents as the U-Net sees them; `noise` is standard normal, and zeros give the mean's.
  func scaled(noise: [Float]) -> [Float] {
    precondition(noise.count == mean.count)
    return mean.indices.map { (mean[$0] + standardDeviation[$0] * noise[$0] - shift) * scale }
  }
}
