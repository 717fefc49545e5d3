extension DiffusionModel {
  /// Values that are alive at once while the U-Net runs, for each latent and channel of its first block: the skips of
  /// all blocks, and the layer in progress. Measured, rounded up.
  private static let unetValues = 24
  /// Likewise of the VAE's decoder, for each pixel and channel of its last block.
  private static let decoderValues = 6

  /// About how many bytes the activations of a picture take at their peak, beyond the weights.
  /// - Parameter batch: what the U-Net sees at once: pictures, twice with guidance. The VAE decodes one at a time.
  public func activationBytes(width: Int, height: Int, batch: Int) -> Int {
    let pixels = width * height
    let latents = pixels / (autoencoder.downsampling * autoencoder.downsampling)
    let unetBytes = 4 * batch * latents * Self.unetValues * (unet.config.blockOutChannels.first ?? 0)
    let decoderBytes = 4 * pixels * Self.decoderValues * (autoencoder.config.blockOutChannels.first ?? 0)
    return max(unetBytes, decoderBytes)
  }
}
