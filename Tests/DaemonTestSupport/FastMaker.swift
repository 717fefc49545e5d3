import Daemon
import Embeddings
import Errors
import Generation
import Images

/// A model that is fast and makes the same picture from the same request and embeddings everywhere: noise from a hash
/// of the prompt's pieces and the seed. `gate` lets a test decide when each step is taken.
public struct FastMaker: PictureMaker {
  public let modelName: String
  public let nativeSize = 16
  public let embeddingWidth: Int
  private let gate: StepGate?
  private let memory: Int

  /// - Parameter memory: what each request is said to take.
  public init(gate: StepGate? = nil, memory: Int = 0, name: String = "fast", embeddingWidth: Int = 4) {
    modelName = name
    self.embeddingWidth = embeddingWidth
    self.gate = gate
    self.memory = memory
  }

  public func memory(of request: GenerationRequest, in room: Int) -> Int { memory }

  public func begin(
    _ request: GenerationRequest, embeddings: EmbeddingTable, room: Int?
  ) throws(InversionError) -> FastPictures {
    let split = PromptNames(table: embeddings).split(request.prompt)
    if request.strict, let name = split.missing.first {
      throw InversionError(.unknownEmbedding, "'\(name)': no such embedding is in force")
    }
    guard request.prompt.split(separator: " ").count <= 75 else {
      throw InversionError(.promptTooLong, "the prompt has more than 75 words; shorten it")
    }
    return FastPictures(request: request, split: split, size: nativeSize, gate: gate)
  }
}

public final class FastPictures: PicturesInTheMaking {
  public let used: [UsedEmbedding]
  public let unused: [UnusedEmbedding]
  public var steps: Int { request.steps }
  private let request: GenerationRequest
  private let pieces: [PromptNames.Piece]
  private let size: Int
  private let gate: StepGate?
  private var step = 0

  fileprivate init(request: GenerationRequest, split: PromptNames.Split, size: Int, gate: StepGate?) {
    self.request = request
    self.pieces = split.pieces
    self.size = size
    self.gate = gate
    used = split.pieces.compactMap { piece in
      guard case .embedding(let e) = piece else { return nil }
      return UsedEmbedding(name: e.name, sha256: e.sha256, generation: e.generation, vectors: e.count)
    }
    unused = split.missing.map { UnusedEmbedding(name: $0, reason: "not in force") }
  }

  public func next() -> Int? {
    guard step < request.steps else { return nil }
    gate?.pass()
    step += 1
    return step
  }

  public func decode() throws(InversionError) -> [Picture] {
    (0..<request.count).map { i in
      var state = hash(seed: request.seed + UInt64(i))
      let (width, height) = (request.width ?? size, request.height ?? size)
      let pixels = (0..<width * height * 3).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(state >> 56)
      }
      return Picture(width: width, height: height, pixels: pixels)
    }
  }

  /// FNV-1a of what the picture is to show.
  private func hash(seed: UInt64) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ bytes: some Sequence<UInt8>) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 } }
    for piece in pieces {
      switch piece {
      case .text(let text): add(text.utf8)
      case .embedding(let embedding): embedding.vectors.withUnsafeBytes { add($0) }
      }
    }
    withUnsafeBytes(of: seed) { add($0) }
    if let start = request.start {
      add(start.picture.pixels)
      add(start.mask?.pixels ?? [])
      withUnsafeBytes(of: (start.strength, start.maskBlur)) { add($0) }
    }
    return hash
  }
}
