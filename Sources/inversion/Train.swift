import ArgumentParser
import Embeddings
import Errors
import Foundation
import Models
import Training

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Learn a word from a folder of pictures.",
    discussion: """
      Writes an embedding file that the daemon takes up at once and that diffusers and AUTOMATIC1111 read too. Of the \
      states during the training, the one with the lowest loss on the validation pictures is written.
      """)

  @Option(
    help: ArgumentHelp(
      "Folder of pictures: PNG, JPEG, WebP. 'cat.txt' beside 'cat.png' holds captions with '{}'.", valueName: "dir"))
  var images: String

  @Option(help: "The new word, as prompts will use it: '<my-cat>'.")
  var token: String

  @Option(help: ArgumentHelp("A word that the model knows and that comes near.", valueName: "word"))
  var initWord: String

  @Option(help: "Steps to take.")
  var steps = 400

  @Option(name: [.short, .long], help: ArgumentHelp("The file to write, '.safetensors'.", valueName: "file"))
  var output: String

  @OptionGroup var model: ModelOption

  @Option(help: "Weights and activations: f32, f16 (weights), int8. A model package has its own.")
  var precision = LayerPrecision.f32

  @OptionGroup var memory: MemoryOption

  @Option(help: "dti: Directional Textual Inversion; ti: the original.")
  var method = TrainingMethod.directional

  @Option(help: "Of the steps. By default 0.05 for dti, 0.005 for ti.")
  var learningRate: Double?

  @Option(help: "Length of the vectors with dti: the mean of the vocabulary's, or the initializer's.")
  var norm = EmbeddingNorm.vocabulary

  @Option(help: "Pictures in a pass.")
  var batch = 4

  @Option(help: "Passes in a step.")
  var accumulate = 1

  @Option(help: "Tokens that the word stands for.")
  var vectors = 1

  @Option(help: "Captions: 'object', 'style', or a file with one a line, '{}' for the word.")
  var template = "object"

  @Option(help: "Timesteps to learn at: 'uniform' or 'A-B'.")
  var timesteps = TimestepWindow.noisy

  @Option(help: "Of all that is drawn.")
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("Pictures to judge by, best not those of --images.", valueName: "dir"))
  var validation: String?

  func run() throws {
    try checkOutput()
    let settings = try settings()
    let model = try DiffusionModel(path: model.folder(), parts: .encoder, plan: ModelPlan(precision))
    let pictures = try ConceptPictures.read(folder: images, size: model.nativeSize)
    let judges = try validation.map { try ConceptPictures.read(folder: $0, size: model.nativeSize) }
    let trainer = try Trainer(model: model, pictures: pictures, settings: settings, validation: judges ?? pictures)
    var progress = TrainingProgress(steps: steps)
    for step in trainer { progress.show(step) }
    progress.end()
    let word = try trainer.learnedEmbedding()
    try EmbeddingFile.write(word, to: output)
    print(summary(word, trainer))
  }

  private func settings() throws -> TrainingSettings {
    var settings = TrainingSettings(token: token, initializer: initWord)
    (settings.steps, settings.method, settings.learningRate) = (steps, method, learningRate)
    (settings.batch, settings.accumulate, settings.vectors) = (batch, accumulate, vectors)
    (settings.timesteps, settings.seed, settings.norm) = (timesteps, seed, norm)
    settings.budget = try memory.budget()
    settings.templates =
      switch template {
      case "object": .object
      case "style": .style
      default: try PromptTemplates(file: template)
      }
    return settings
  }

  /// A training of minutes should not find out at its end that its result cannot be written.
  private func checkOutput() throws {
    guard output.hasSuffix(".safetensors") else {
      throw InversionError(.invalidArgument, "'--output \(output)': give a name that ends in '.safetensors'")
    }
    let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw InversionError(.fileUnavailable, "'\(folder)': not a folder that can be written; make it first")
    }
  }

  private func summary(_ word: LearnedEmbedding, _ trainer: Trainer) -> String {
    var line = "\(output): '\(word.name)', \(word.count) x \(word.width), step \(word.metadata["steps"] ?? "")"
    if let learned = trainer.learnedLoss, let initializer = trainer.initializerLoss {
      let change = String(format: "%+.2f", 100 * (learned / initializer - 1))
      line += "; validation loss \(decimals(learned)), \(change) % against '\(initWord)' \(decimals(initializer))"
    }
    return line
  }
}

extension TrainingMethod: ExpressibleByArgument {}
extension EmbeddingNorm: ExpressibleByArgument {}
extension LayerPrecision: ExpressibleByArgument {}

extension TimestepWindow: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

/// A loss as it is shown.
func decimals(_ loss: Double) -> String { String(format: "%.5f", loss) }
