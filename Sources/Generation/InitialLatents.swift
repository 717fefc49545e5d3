import Images
import Models
import Ops
import Schedules

/// Where the latents of a starting picture begin, and what keeps them outside of its mask: diffusers' image-to-image
/// and inpainting pipelines, with the mean of the encoder's distribution, so that equal seeds give equal pictures.
struct InitialLatents {
  let firstStep: Int
  private let start: FittedStart
  /// (count, height, width, channels), without noise
  private let clean: [Float]
  /// As `clean`, of standard deviation 1.
  private let noise: [Float]
  /// A value for each of `clean`, true where it may change; nil when all may.
  private let mayChange: [Bool]?

  /// - Parameter noise: (count, height, width, channels)
  init(
    _ start: StartingPicture, _ encoder: AutoencoderKL, size: PictureSize, steps: Int, noise: [Float], on tape: Tape
  ) {
    let fitted = start.fitted(size)
    let one = Self.encode(fitted.picture, encoder, on: tape)
    let count = noise.count / one.count
    self.init(fitted, one, encoder, firstStep: start.firstStep(of: steps), noise: noise, count: count)
  }

  private init(
    _ start: FittedStart, _ one: [Float], _ encoder: AutoencoderKL, firstStep: Int, noise: [Float], count: Int
  ) {
    self.firstStep = firstStep
    self.start = start
    self.noise = noise
    clean = Array(repeating: one, count: count).flatMap { $0 }
    mayChange = start.mask.map { mask in
      let channels = encoder.config.latentChannels
      let one = mask.latent(factor: encoder.downsampling).flatMap { Array(repeating: $0, count: channels) }
      return Array(repeating: one, count: count).flatMap { $0 }
    }
  }

  /// (height, width, channels), scaled as the U-Net sees them.
  static func encode(_ picture: Picture, _ encoder: AutoencoderKL, on tape: Tape) -> [Float] {
    let pixels = picture.pixels.map { Float($0) / 127.5 - 1 }
    let moments = encoder.encode(tape.constant([1, picture.height, picture.width, 3], pixels), on: tape).floats
    let (channels, scale, shift) = (
      encoder.config.latentChannels, encoder.config.scalingFactor, encoder.config.shiftFactor
    )
    // Mean and log-variance of each latent stand side by side.
    return stride(from: 0, to: moments.count, by: 2 * channels).flatMap { row in
      moments[row..<row + channels].map { ($0 - shift) * scale }
    }
  }

  /// The latents before the first step that is taken.
  func latents(_ sampler: any Sampler) -> [Float] { sampler.noised(clean, with: noise, step: firstStep) }

  /// Puts back what may not change, as noisy as the next step wants it; after the last step, without noise.
  func restore(_ latents: inout [Float], before next: Int, _ sampler: any Sampler) {
    guard let mayChange else { return }
    let kept = next < sampler.steps ? sampler.noised(clean, with: noise, step: next) : clean
    for index in latents.indices where !mayChange[index] { latents[index] = kept[index] }
  }

  /// The finished picture, with the starting picture's own pixels outside of the mask.
  func composed(_ made: Picture) -> Picture { start.composed(made) }
}
