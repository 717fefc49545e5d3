import Embeddings
import Generation
import Images

/// What the daemon needs of a model. `Pipeline` is the real one; tests bring a fast one.
public protocol PictureMaker: Sendable {
  associatedtype Pictures: PicturesInTheMaking

  var modelName: String { get }
  /// Pixels on a side.
  var nativeSize: Int { get }
  /// Of the token embeddings.
  var embeddingWidth: Int { get }
  /// Which embeddings fit, and which words are taken.
  var embeddingVocabulary: EmbeddingVocabulary { get }

  /// About how many bytes a request needs at its peak where there are `room`.
  func memory(of request: GenerationRequest, in room: Int) -> Int

  /// Checks the request, encodes its prompts and draws the first noise; no denoising step is taken yet.
  /// - Parameter room: bytes of memory that there are; nil for plenty.
  /// - Throws: `InversionError`.
  func begin(_ request: GenerationRequest, embeddings: EmbeddingTable, room: Int?) throws -> Pictures
}

/// The pictures of one request; each `next()` is one denoising step of them all.
public protocol PicturesInTheMaking: AnyObject {
  var used: [UsedEmbedding] { get }
  var unused: [UnusedEmbedding] { get }
  /// How many steps `next()` takes in all.
  var steps: Int { get }

  /// Takes one step and says which one it was (1-based), or nil after the last.
  func next() -> Int?
  func decode() throws -> [Picture]
}

extension PictureMaker {
  /// Of a model of which only the width matters.
  public var embeddingVocabulary: EmbeddingVocabulary { EmbeddingVocabulary(width: embeddingWidth) }
}

extension Pipeline: PictureMaker {}
extension PictureSynthesis: PicturesInTheMaking {}
