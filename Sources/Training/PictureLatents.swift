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
  private let scale: Float
  private let shift: Float

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
