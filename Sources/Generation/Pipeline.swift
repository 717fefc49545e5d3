import Embeddings
import Errors
import Images

/// A model ready to make pictures: tokenizer, text encoder, U-Net, VAE decoder and scheduler of one folder.
///
/// Immutable and safe to share; each `PictureSynthesis` has its own working memory.
public final class Pipeline: Sendable {
  /// The model folder's name, its native size in pixels, and the width of its token embeddings.
  public let modelName: String
  public let nativeSize: Int
  public let embeddingWidth: Int

  /// - Parameter folder: a diffusers folder.
  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  public init(folder: String) throws(InversionError) {
    throw InversionError(.internal, "not built yet")
  }

  /// Checks the request, encodes its prompts and draws the first noise; no denoising step is taken yet.
  /// - Throws: `invalidArgument`, `promptTooLong`, `unknownEmbedding`, `badEmbedding`.
  public func begin(
    _ request: GenerationRequest, embeddings: EmbeddingTable
  ) throws(InversionError) -> PictureSynthesis {
    throw InversionError(.internal, "not built yet")
  }
}

/// The pictures of one request while they are made. Each `next()` is one denoising step of the whole batch, so the
/// caller shows progress and cancels by simply not asking for more.
public final class PictureSynthesis: Sequence, IteratorProtocol {
  public let request: GenerationRequest
  /// In order of appearance in the prompts.
  public let used: [UsedEmbedding]
  public let unused: [UnusedEmbedding]

  init(request: GenerationRequest, used: [UsedEmbedding], unused: [UnusedEmbedding]) {
    self.request = request
    self.used = used
    self.unused = unused
  }

  /// Takes one step and says which one it was (1-based), or nil after the last.
  public func next() -> Int? { nil }

  /// The pictures of the latents as they stand: after the last step, the result.
  public func decode() throws(InversionError) -> [Picture] { [] }
}
