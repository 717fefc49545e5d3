import ArgumentParser
import Embeddings
import Errors
import Files
import Foundation
import Models
import Training

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure learned words on pictures that their training has not seen.",
    usage: "inversion evaluate [<options>] [<files> ...]",
    discussion: """
      With FILES, each word is judged by itself: its loss on --images (or on the held-out pictures of its folder in \
      --concepts), which concept's pictures it explains best, whether prompts for colours and styles are obeyed (read \
      off the pixels of drawn pictures), how much pictures differ, and what the vectors are like.

      Without, for each folder NAME in --concepts with an embedding NAME.safetensors, the loss of NAME/held-out under \
      the learned word is compared with that under its initializer and under the other concepts' words, with the same \
      noise and timesteps. With --known, a folder of pictures WORD.png of things the model was taught, the gain of \
      known words over their neighbours is measured too: what a learned word can win.
      """)

  @Argument(help: ArgumentHelp("Embedding files.", valueName: "files"))
  var files: [String] = []

  @Option(help: ArgumentHelp("Folder of concept folders.", valueName: "dir"))
  var concepts: String?

  @Option(help: ArgumentHelp("Folder of the learned words.", valueName: "dir"))
  var embeddings: String?

  @Option(help: ArgumentHelp("Pictures of the words of FILES that their training has not seen.", valueName: "dir"))
  var images: String?

  @Option(help: "Pictures of each prompt for FILES; 0 draws none.")
  var seeds = 2

  @Option(help: ArgumentHelp("Pictures of things that the model knows, named by their words.", valueName: "dir"))
  var known: String?

  @OptionGroup var model: ModelOption

  @Option(help: "Weights and activations: f32, f16 or bf16 (weights), int8. A model package has its own.")
  var precision = LayerPrecision.f32

  @Option(help: "Timesteps to measure at: 'uniform' or 'A-B'.")
  var timesteps = TimestepWindow.noisy

  @Option(help: "Pairs of timestep and noise for each picture.")
  var draws = 16

  @Option(help: "'text' or 'json'.")
  var format = OutputFormat.text

  @Option(help: ArgumentHelp("Write the figures there as JSON too.", valueName: "file"))
  var json: String?

  enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

  func run() throws {
    guard draws > 0 else { throw InversionError(.invalidArgument, "'\(draws)' draws: give 1 or more") }
    if !files.isEmpty { return try evaluateWords() }
    guard let concepts, let embeddings else {
      throw ValidationError("Give embedding files, or '--concepts' and '--embeddings'.")
    }
    let model = try DiffusionModel(path: model.folder(), parts: .encoder, plan: ModelPlan(precision))
    let evaluation = try ConceptEvaluation(
      readConcepts(concepts, embeddings, size: model.nativeSize), model: model, window: timesteps, draws: draws)
    let gap = try known.map { folder in
      let pictures = try ConceptPictures.read(folder: folder, size: model.nativeSize)
      // 'polar-bear.png' is a picture of 'polar bear'.
      let words = Dictionary(grouping: pictures) { EmbeddingFile.stem(of: $0.path).replacing("-", with: " ") }
      return try KnownWordGap(
        words.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, model: model, window: timesteps, draws: draws)
    }
    let report = EvaluationReport(concepts: evaluation, knownWords: gap)
    try show(text: report.text, json: report.json())
  }

  func show(text: String, json: String) throws {
    if let file = self.json { try AtomicFile.write(Array((json + "\n").utf8), path: file) }
    print(format == .json ? json : text)
  }

  private func readConcepts(_ concepts: String, _ embeddings: String, size: Int) throws -> [ConceptEvaluation.Concept] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: concepts).sorted() else {
      throw InversionError(.fileUnavailable, "'\(concepts)': no folder that can be read; give a folder of concepts")
    }
    let read: [ConceptEvaluation.Concept] = try names.compactMap { name in
      let (file, heldOut) = ("\(embeddings)/\(name).safetensors", "\(concepts)/\(name)/held-out")
      let isThere = [file, heldOut].allSatisfy { FileManager.default.fileExists(atPath: $0) }
      guard isThere else { return nil }
      return ConceptEvaluation.Concept(
        name: name, word: try EmbeddingFile.read(file), heldOut: try ConceptPictures.read(folder: heldOut, size: size))
    }
    guard !read.isEmpty else {
      throw InversionError(
        .fileUnavailable,
        "'\(concepts)': no concept has both 'held-out' pictures and a word in '\(embeddings)'; train one first")
    }
    return read
  }
}
