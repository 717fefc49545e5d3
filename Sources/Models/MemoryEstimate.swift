import Tensors

extension DiffusionModel {
  /// Values that are alive at once while the U-Net runs, for each latent and channel of its first block: the skips of
  /// all blocks, and the layer in progress. Measured, rounded up.
  private static let unetValues = 24
  /// Likewise of the VAE's decoder, for each pixel and channel of its last block.
  private static let decoderValues = 6

  /// About how many bytes the activations of a picture take at their peak, beyond the weights.
  /// - Parameter batch: what the U-Net sees at once: pictures, twice with guidance. The VAE decodes one at a time.
  public func activationBytes(width: Int, height: Int, batch: Int) -> Int {
    let decoderBytes = 4 * width * height * Self.decoderValues * (autoencoder.config.blockOutChannels.first ?? 0)
    return max(unetBytes(width: width, height: height, batch: batch), decoderBytes)
  }

  private func unetBytes(width: Int, height: Int, batch: Int) -> Int {
    let latents = width * height / (autoencoder.downsampling * autoencoder.downsampling)
    return 4 * batch * latents * Self.unetValues * (unet.config.blockOutChannels.first ?? 0)
  }

  /// About how many bytes a training takes that has no budget, on square pictures.
  public func trainingBytes(side: Int, batch: Int) -> Int {
    let latents = side / autoencoder.downsampling
    let kept = min(unet.keptBytes(batch: batch, height: latents, width: latents), MemoryBudget.keeps)
    let step = mappedBytes(of: .unet) + kept + unetBytes(width: side, height: side, batch: batch)
    return max(activationBytes(width: side, height: side, batch: batch), step)
  }

  /// More activations than so many times the memory that there is are for a larger machine: the disk would be busy for
  /// longer than anybody waits.
  private static let mostRooms = 8

  /// How to make a picture in `room` bytes: what is fastest where all of it fits, weights and activations, else with
  /// the room as the budget.
  public func budget(width: Int, height: Int, batch: Int, room: Int) -> MemoryBudget {
    let activations = activationBytes(width: width, height: height, batch: batch)
    let step = mappedBytes(of: .unet) + unetBytes(width: width, height: height, batch: batch)
    guard max(activations, step) > room, activations / Self.mostRooms <= room,
      BufferPool.Spill.hasRoom(activations)
    else { return .unlimited }
    return MemoryBudget(bytes: room)
  }
}
