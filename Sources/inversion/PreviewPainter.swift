import Embeddings
import Errors
import Generation
import Images
import Training

/// Draws what the word of a training shows: the same prompt and seed each time, so that the pictures can be compared.
struct PreviewPainter {
  let every: Int
  let prompt: String
  private let pipeline: Pipeline
  private let settings: TrainingSettings

  private static let steps = 20

  /// - Throws: `fileUnavailable`, `badFile`, `badModel`.
  init(model: String, options: PreviewOptions, settings: TrainingSettings) throws {
    every = options.previewEvery
    prompt = options.previewPrompt
    self.settings = settings
    pipeline = try Pipeline(folder: model, budget: settings.budget)
  }

  /// - Throws: `promptTooLong`.
  func paint(_ word: LearnedEmbedding, step: Int) throws -> TrainingPreview {
    var request = GenerationRequest(prompt: prompt.replacing("{}", with: word.name))
    if settings.negativeGuidance != nil {
      // A negative word is seen by what it keeps away from.
      request.prompt = prompt.replacing("{}", with: settings.initializer)
      request.negativePrompt = word.name
    }
    (request.steps, request.seed) = (Self.steps, settings.seed)
    let synthesis = try pipeline.begin(request, embeddings: EmbeddingTable(embeddings: [word.name: word]))
    for _ in synthesis {}
    let png = try synthesis.decode()[0].encoded(as: .png)
    return TrainingPreview(step: step, prompt: request.prompt, png: png)
  }
}
