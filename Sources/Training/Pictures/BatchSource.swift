import Models
import Schedules

/// Draws batches. All of a training's randomness comes from one counter-based generator, in a fixed order, so that a
/// seed gives the same batches on every machine, and a resumed training the batches that the whole one would have had.
struct BatchSource: Sendable {
  /// A picture's views, which are all of one shape, and its captions.
  struct Item: Sendable {
    let views: [PictureLatents]
    let captions: [Caption]
  }

  /// What is drawn how.
  struct Plan: Sendable {
    var timesteps: Range<Int>
    var captions = CaptionSettings()
    var loss = LossSettings()
    /// Ids of the learned word.
    var word: [Int]
    /// Ids that stand in the captions where the learned word is a negative one, alone in the other prompt.
    var positiveWord: [Int]?
  }

  /// How far the drawing has come.
  struct State: Sendable, Equatable, Codable {
    var offset: UInt32 = 0
    /// Pictures take turns, so that each is seen equally often.
    var turn = 0
    /// Of each bucket.
    var turns: [Int] = []
  }

  private let model: DiffusionModel
  private let plan: Plan
  /// Items whose views have one shape: a batch is of one bucket.
  private let buckets: [[Item]]
  /// The bucket of each turn: every picture's own, in order.
  private let bucketOfTurn: [Int]
  private var noise: PhiloxNoise
  private var turn = 0
  private var turns: [Int]

  init(_ items: [Item], plan: Plan, seed: UInt64, model: DiffusionModel) {
    precondition(!items.isEmpty)
    var shapes: [[Int]] = []
    var buckets: [[Item]] = []
    bucketOfTurn = items.map { item in
      let shape = item.views[0].shape
      if let known = shapes.firstIndex(of: shape) {
        buckets[known].append(item)
        return known
      }
      shapes.append(shape)
      buckets.append([item])
      return shapes.count - 1
    }
    self.model = model
    self.plan = plan
    self.buckets = buckets
    turns = buckets.map { _ in 0 }
    noise = PhiloxNoise(seed: seed)
  }

  var state: State {
    get { State(offset: noise.offset, turn: turn, turns: turns) }
    set {
      precondition(newValue.turns.count == turns.count)
      (noise.offset, turn, turns) = (newValue.offset, newValue.turn, newValue.turns)
    }
  }

  mutating func next(_ size: Int) -> TrainingBatch {
    let bucket = bucketOfTurn[turn % bucketOfTurn.count]
    turn += buckets.count == 1 ? size : 1
    let items = buckets[bucket]
    let chosen = (0..<size).map { items[(turns[bucket] + $0) % items.count] }
    turns[bucket] += size
    let times = noise.integers(size, in: plan.timesteps)
    let captions = chosen.map { item in item.captions[noise.integers(1, in: 0..<item.captions.count)[0]] }
    let views = chosen.map { item in
      item.views.count == 1 ? item.views[0] : item.views[noise.integers(1, in: 0..<item.views.count)[0]]
    }
    let latents = views.flatMap { $0.scaled(noise: noise.normal($0.count)) }
    let noises = offset(noise.normal(latents.count), channels: views[0].shape[2], pictures: size)
    let texts = captions.map { caption in
      caption.ids(word: plan.positiveWord ?? plan.word, model: model, plan.captions, noise: &noise)
    }
    var batch = TrainingBatch(
      shape: views[0].shape, latents: latents, noise: noises, timesteps: times, ids: texts)
    if views.contains(where: { $0.mask != nil }) { batch.masks = views.flatMap { $0.mask ?? $0.fullMask } }
    if let gamma = plan.loss.minSNR {
      batch.weights = times.map { Float(model.schedule.minSNRWeight($0, gamma: gamma)) }
    }
    return batch
  }

  /// Adds to each channel of each picture one more draw.
  private mutating func offset(_ values: [Float], channels: Int, pictures: Int) -> [Float] {
    guard plan.loss.offsetNoise > 0 else { return values }
    let shifts = noise.normal(pictures * channels)
    let elements = values.count / pictures
    return values.indices.map { index in
      values[index] + Float(plan.loss.offsetNoise) * shifts[index / elements * channels + index % channels]
    }
  }
}
