import Schedules

/// Draws batches. All of a training's randomness comes from one counter-based generator, in a fixed order, so that a
/// seed gives the same batches on every machine.
struct BatchSource: Sendable {
  /// A picture with the token ids of its captions.
  struct Item: Sendable {
    let latents: PictureLatents
    let captions: [[Int]]
  }

  let items: [Item]
  let timesteps: Range<Int>
  private var noise: PhiloxNoise
  /// Pictures take turns, so that each is seen equally often.
  private var turn = 0

  init(_ items: [Item], timesteps: Range<Int>, seed: UInt64) {
    precondition(!items.isEmpty)
    self.items = items
    self.timesteps = timesteps
    noise = PhiloxNoise(seed: seed)
  }

  mutating func next(_ size: Int) -> TrainingBatch {
    let chosen = (0..<size).map { items[(turn + $0) % items.count] }
    turn += size
    let times = noise.integers(size, in: timesteps)
    let captions = chosen.map { item in item.captions[noise.integers(1, in: 0..<item.captions.count)[0]] }
    let latents = chosen.flatMap { $0.latents.scaled(noise: noise.normal($0.latents.count)) }
    return TrainingBatch(
      shape: chosen[0].latents.shape, latents: latents, noise: noise.normal(latents.count), timesteps: times,
      ids: captions)
  }
}
