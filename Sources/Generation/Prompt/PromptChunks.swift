import Embeddings
import Errors
import Models

/// How a prompt is read.
public enum PromptSyntax: String, Sendable, CaseIterable {
  /// AUTOMATIC1111's grammar: weights, BREAK, editing by step, any length.
  case a1111
  /// Every character is text, and the text encoder's length is the limit.
  case plain
}

/// A prompt as the text encoder reads it, in chunks of its length. Equal chunks give equal hidden states.
struct PromptChunks: Hashable, Sendable {
  /// One run of the text encoder.
  struct Chunk: Hashable, Sendable {
    /// Vocabulary ids, and ids from the vocabulary's size on for the vectors of `embeddings`; framed and padded.
    let ids: [Int]
    /// By which the hidden states are multiplied.
    let weights: [Float]

    var isWeighted: Bool { weights.contains { $0 != 1 } }
  }

  var chunks: [Chunk]
  /// Those that the ids call, in the order of their vectors.
  var embeddings: [LearnedEmbedding] = []

  /// An embedding is the same when its file and the time when it came into force are.
  static func == (a: PromptChunks, b: PromptChunks) -> Bool {
    a.chunks == b.chunks
      && a.embeddings.elementsEqual(b.embeddings) {
        $0.name == $1.name && $0.sha256 == $1.sha256 && $0.generation == $1.generation
      }
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(chunks)
    for embedding in embeddings { hasher.combine(embedding.name) }
  }
}

/// Fills chunks with tokens, as AUTOMATIC1111 does.
struct ChunkBuilder {
  /// A longer prompt is refused: attention's cost grows with each.
  static let most = 16
  /// When a chunk is full, what stands behind a comma goes over to the next if it is at most this long.
  private static let backTrack = 20

  private let model: DiffusionModel
  private let room: Int
  private let comma: Int?
  private var ids: [Int] = []
  private var weights: [Float] = []
  private var lastComma: Int?
  private var chunks: [PromptChunks.Chunk] = []

  init(_ model: DiffusionModel) {
    self.model = model
    room = model.promptRoom
    comma = model.tokenizer.id(ofToken: ",</w>").map(Int.init)
  }

  /// Tokens of the vocabulary.
  mutating func append(_ tokens: [Int], weight: Float) throws {
    for token in tokens {
      if token == comma {
        lastComma = ids.count
      } else if ids.count == room, let lastComma, room - lastComma <= Self.backTrack {
        let (tail, tailWeights) = (Array(ids[(lastComma + 1)...]), Array(weights[(lastComma + 1)...]))
        ids.removeSubrange((lastComma + 1)...)
        weights.removeSubrange((lastComma + 1)...)
        try endChunk()
        (ids, weights) = (tail, tailWeights)
      }
      if ids.count == room { try endChunk() }
      ids.append(token)
      weights.append(weight)
    }
  }

  /// An embedding's tokens, which stay together.
  /// - Precondition: they fit a chunk.
  mutating func append(embedding tokens: Range<Int>, weight: Float) throws {
    if ids.count + tokens.count > room { try endChunk() }
    ids += tokens
    weights += Array(repeating: weight, count: tokens.count)
  }

  mutating func endChunk() throws {
    guard chunks.count < Self.most else {
      throw InversionError(
        .promptTooLong,
        "the prompt has more than \(Self.most * room) tokens, which is the most; shorten it")
    }
    let framed = try model.framed(ids)
    chunks.append(
      PromptChunks.Chunk(
        ids: framed, weights: [1] + weights + Array(repeating: 1, count: framed.count - 1 - weights.count)))
    (ids, weights, lastComma) = ([], [], nil)
  }

  mutating func finish() throws -> [PromptChunks.Chunk] {
    if !ids.isEmpty || chunks.isEmpty { try endChunk() }
    return chunks
  }
}
