import Ops
import Tensors

/// How much memory making pictures, or training, may take. What does not fit goes to the disk: weights are read as
/// their layers compute, and large activations may be written to a temporary file.
public struct MemoryBudget: Sendable, Equatable {
  /// nil: as much as is fastest.
  public let bytes: Int?

  public static let unlimited = MemoryBudget(bytes: nil)

  public init(bytes: Int?) { self.bytes = bytes }

  /// `128M`, `2G`, in powers of 1024; nil for what is no size.
  public init?(text: String) {
    let units = ["K": 10, "M": 20, "G": 30]
    let (number, unit) = text.last?.isLetter == true ? (text.dropLast(), text.suffix(1).uppercased()) : (text[...], "")
    guard let count = Int(number), count > 0, let shift = unit.isEmpty ? 0 : units[unit],
      count <= Int.max >> (shift + 1)
    else { return nil }
    bytes = count << shift
  }

  /// Weights are let go behind their layers when they and the activations would not fit.
  private static let comfortable = 1536 << 20
  /// What a way back may keep where nothing else is said.
  static let keeps = 512 << 20

  /// Whether weights are streamed.
  public var streams: Bool { bytes.map { $0 < Self.comfortable } ?? false }

  /// How many of so many bytes of activations need memory at once: under a budget the rest may go to the disk.
  public func held(of activations: Int) -> Int {
    guard let spill else { return activations }
    // What is too small for a file of its own; 22 MB beside a picture of 512 x 512.
    let small = 32 << 20
    return min(activations, spill.beyond + small)
  }

  /// Whether a way back may keep so many bytes.
  func keeps(_ kept: Int) -> Bool { kept <= bytes.map { $0 / 4 } ?? Self.keeps }

  /// Which activations may go to the disk.
  private var spill: BufferPool.Spill? {
    guard let bytes else { return nil }
    // Half may be held, or more where that is much: the rest is for the weights at hand and for the process. Where the
    // half is little, what is held crowds out the rest.
    let (little, much) = (256 << 20, 768 << 20)
    let beyond = bytes < little ? 0 : bytes < much ? bytes / 2 : bytes - little
    return BufferPool.Spill(smallest: 1 << 20, beyond: beyond)
  }

  fileprivate func makePool() -> BufferPool { BufferPool(spill: spill) }

  fileprivate func makeStream() -> WeightStream? {
    // A layer computes while the next ones are read; two large layers at once must not crowd out the activations.
    let share = 16
    return streams ? bytes.map { WeightStream(aheadBytes: $0 / share) } : nil
  }
}

/// The buffers of one picture after another, or of one training, within a budget.
public final class WorkingMemory {
  public let budget: MemoryBudget
  public let pool: BufferPool
  private let stream: WeightStream?

  public init(_ budget: MemoryBudget = .unlimited) {
    self.budget = budget
    pool = budget.makePool()
    stream = budget.makeStream()
  }

  /// A tape on these buffers.
  public func makeTape(recording: Bool = false) -> Tape {
    let tape = Tape(recording: recording, pool: pool)
    tape.weightStream = stream
    return tape
  }

  /// A tape whose way back goes through `unet`, for pictures of latents (batch, height, width).
  public func makeTape(backThrough unet: UNet2DConditionModel, batch: Int, height: Int, width: Int) -> Tape {
    let tape = makeTape(recording: true)
    let kept = unet.keptBytes(batch: batch, height: height, width: width)
    if !budget.keeps(kept) {
      // int8 values suit int8 layers; f32 ones would feel it, and are computed again.
      tape.savesInt8 = unet.isQuantised
      tape.recomputes = !(unet.isQuantised && budget.keeps(kept / 4))
    }
    return tape
  }
}

extension WorkingMemory {
  /// The text encoder's states, at its turns alone in memory where that is short: its weights go until the way back,
  /// and what the U-Net's way back used goes before them.
  public func states(_ model: DiffusionModel, _ ids: [[Int]], learned: Activation?, on tape: Tape) -> Activation {
    let states = model.textEncoder(ids, learned: learned, on: tape)
    guard tape.recomputes || (tape.savesInt8 && budget.bytes != nil) else { return states }
    model.releasePages(of: .textEncoder)
    return tape.onTheWayBack(states) { [pool] in pool.dropFree() }
  }
}

extension UNet2DConditionModel {
  /// Whether its layers compute in int8, the sensitive ones apart.
  var isQuantised: Bool {
    if case .int8 = downBlocks[0].resnets[0].conv1.weight { true } else { false }
  }

  /// About how much a way back through all of it keeps, in f32: inputs of norms and gates, queries, keys and values,
  /// and what attention gave.
  func keptBytes(batch: Int, height: Int, width: Int) -> Int {
    var elements = 0
    for (level, channels) in config.blockOutChannels.enumerated() {
      let pixels = batch * (height >> level) * (width >> level)
      // The up path has a resnet more, and its inputs are twice as wide.
      let resnets = config.layersPerBlock[level] * 2 + (config.layersPerBlock[level] + 1) * 3
      let isAttending = config.downBlockTypes[level] == .crossAttention
      let transformers =
        isAttending ? (2 * config.layersPerBlock[level] + 1) * config.transformerLayersPerBlock[level] : 0
      let perTransformer = 18
      elements += pixels * channels * (resnets + transformers * perTransformer)
    }
    return elements * 4
  }
}
