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
      states during the training, the one with the lowest loss on the validation pictures is written. A training that \
      is stopped (Ctrl-C) or killed goes on with '--resume', and ends as if nothing had been.

      inversion train --images my-dragon/ --token '<my-dragon>' \\
        --init-word lizard -o words/my-dragon.safetensors
      """)

  @Option(
    help: ArgumentHelp(
      "Folder of pictures: PNG, JPEG, WebP. 'cat.txt' beside 'cat.png' says what else is to be seen.", valueName: "dir")
  )
  var images: String?

  @Option(help: "The new word, as prompts will use it: '<my-cat>'.")
  var token: String?

  @Option(
    help: ArgumentHelp("A word that the model knows and that comes near, or some: a vector each.", valueName: "word"))
  var initWord = ""

  @Option(name: [.short, .long], help: ArgumentHelp("The file to write, '.safetensors'.", valueName: "file"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Several words in one run: a JSON list of {\"token\", \"images\", \"output\", \"init_word\", \"vectors\"}.",
      valueName: "file"))
  var concepts: String?

  @OptionGroup var model: ModelOption

  @Option(help: "Weights and activations: f32, f16 or bf16 (weights), int8. A model package has its own.")
  var precision = LayerPrecision.f32

  @OptionGroup var memory: MemoryOption
  @OptionGroup(title: "Course") var course: CourseOptions
  @OptionGroup(title: "Vectors") var vectors: VectorOptions
  @OptionGroup(title: "Pictures and captions") var pictures: TrainingPictureOptions
  @OptionGroup(title: "Loss") var loss: LossOptions
  @OptionGroup(title: "Stopping and keeping") var stopping: StoppingOptions
  @OptionGroup(title: "Previews") var previews: PreviewOptions
  @OptionGroup(title: "What the file says") var provenance: ProvenanceOptions

  func run() throws {
    let concepts = try concepts.map(ConceptsFile.read) ?? [try oneConcept()]
    let plans = try concepts.map { try plan($0) }
    for plan in plans { try plan.checkOutput() }
    let folder = try model.folder()
    let model = try DiffusionModel(path: folder, parts: .encoder, plan: ModelPlan(precision))
    let provenance = Provenance(
      modelHash: try ModelFingerprint.sha256(ofModel: folder), precision: precision.rawValue,
      licence: provenance.licence, consent: provenance.consent)
    let signals = StopSignals()
    for plan in plans {
      let painter =
        previews.previewEvery > 0
        ? try PreviewPainter(model: folder, options: previews, settings: plan.settings) : nil
      let run = TrainingRun(
        plan: plan, stopping: stopping, provenance: provenance, signals: signals, painter: painter)
      guard try run.train(on: model) else { return }
    }
  }

  private func oneConcept() throws -> ConceptsFile.Concept {
    guard let images, let token, let output else {
      throw ValidationError("Give '--images', '--token' and '--output', or a list of '--concepts'.")
    }
    return ConceptsFile.Concept(token: token, images: images, output: output, initWord: initWord, vectors: nil)
  }

  private func plan(_ concept: ConceptsFile.Concept) throws -> TrainingPlan {
    var settings = TrainingSettings(token: concept.token, initializer: concept.initWord ?? initWord)
    try course.apply(to: &settings)
    vectors.apply(to: &settings)
    settings.vectors = concept.vectors ?? settings.vectors
    try pictures.apply(to: &settings)
    loss.apply(to: &settings)
    stopping.apply(to: &settings)
    settings.budget = try memory.budget()
    return TrainingPlan(
      images: concept.images, output: concept.output, validation: stopping.validation, settings: settings)
  }
}

/// A loss as it is shown.
func decimals(_ loss: Double) -> String { String(format: "%.5f", loss) }
