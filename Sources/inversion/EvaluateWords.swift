import Embeddings
import Errors
import Foundation
import Generation
import Images
import Models
import Training

extension Evaluate {
  /// Judges each of the files by itself.
  func evaluateWords() throws {
    guard seeds == 0 || seeds >= 2 else {
      throw InversionError(.invalidArgument, "'\(seeds)' seeds: give 2 or more, so that pictures can differ, or 0")
    }
    // Before minutes of work.
    let words = try files.map { try EmbeddingFile.read($0) }
    let path = try model.folder()
    let model = try DiffusionModel(path: path, parts: .encoder, plan: ModelPlan(precision))
    let pipeline = seeds > 0 ? try Pipeline(folder: path, plan: ModelPlan(precision)) : nil
    let concepts = try conceptFolders(size: model.nativeSize)
    var settings = WordExam.Settings()
    (settings.window, settings.draws, settings.seeds) = (timesteps, draws, seeds)
    let exam = try WordExam(
      model: model, settings: settings, concepts: concepts.map { ($0.name, $0.heldOut) },
      draw: pipeline.map { pipeline in { try pipeline.picture(of: $0, seed: $1, word: $2) } })
    let heldOut = try images.map { try ConceptPictures.read(folder: $0, size: model.nativeSize) }
    let evaluations = try zip(files, words).map { file, word in
      let own = concepts.first { $0.isTaught(by: word) } ?? concepts.first { $0.name == EmbeddingFile.stem(of: file) }
      return try exam.judge(word, heldOut: heldOut, own: own?.name)
    }
    let report = WordReport(files: files, words: evaluations)
    try show(text: report.text, json: report.json())
  }

  /// The folders of --concepts that have held-out pictures.
  private func conceptFolders(size: Int) throws -> [ConceptFolder] {
    guard let concepts else { return [] }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: concepts).sorted() else {
      throw InversionError(.fileUnavailable, "'\(concepts)': no folder that can be read; give a folder of concepts")
    }
    let folders = try names.compactMap { try ConceptFolder("\(concepts)/\($0)", name: $0, size: size) }
    guard !folders.isEmpty else {
      throw InversionError(
        .fileUnavailable, "'\(concepts)': no folder 'NAME/held-out' in it; put pictures there that were not trained on")
    }
    return folders
  }
}

/// The pictures of a concept, apart for training and judging.
private struct ConceptFolder {
  let name: String
  let heldOut: [ConceptPicture]
  private let taught: Set<String>

  /// nil where nothing is held out.
  init?(_ folder: String, name: String, size: Int) throws {
    guard FileManager.default.fileExists(atPath: "\(folder)/held-out") else { return nil }
    self.name = name
    heldOut = try ConceptPictures.read(folder: "\(folder)/held-out", size: size)
    taught = Set((try? ConceptPictures.read(folder: folder, size: size).map(\.sha256)) ?? [])
  }

  /// Whether the word's file says that it was learned from these pictures.
  func isTaught(by word: LearnedEmbedding) -> Bool {
    let pictures = word.metadata["pictures_sha256"]?.split(separator: " ").map(String.init) ?? []
    return !pictures.isEmpty && taught.isSuperset(of: pictures)
  }
}

extension Pipeline {
  /// One picture with 20 steps, as a user would ask for it.
  fileprivate func picture(of prompt: String, seed: UInt64, word: LearnedEmbedding) throws -> Picture {
    var request = GenerationRequest(prompt: prompt)
    request.seed = seed
    let synthesis = try begin(request, embeddings: EmbeddingTable(embeddings: [word.name: word]))
    for _ in synthesis {}
    return try synthesis.decode()[0]
  }
}

/// What `inversion evaluate FILES` prints: a row a word, or JSON with every answer.
private struct WordReport {
  let files: [String]
  let words: [WordEvaluation]

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(zip(files, words).map(Entry.init)), as: UTF8.self)
  }

  /// A word with the file that it is in.
  private struct Entry: Encodable {
    let file: String
    let word: WordEvaluation

    private enum CodingKeys: String, CodingKey { case file }

    func encode(to encoder: any Encoder) throws {
      try word.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(file, forKey: .file)
    }
  }

  var text: String {
    let head = [
      "word", "vectors", "loss", "gain", "own pictures", "colours", "styles", "diversity", "norm", "context drift",
      "nearest",
    ]
    let rows = words.map { word in
      [
        word.name, "\(word.vectors)", word.fidelity.map { decimals($0.loss) } ?? "-",
        word.fidelity?.gain.map(percent) ?? "-", rank(word), shares(word, \.colourShare), shares(word, \.styleShare),
        word.editability.map { String(format: "%.3f", $0.diversity) } ?? "-",
        String(format: "%.3f (%.3f)", mean(word.health.vectors.map(\.norm)), word.health.vocabularyNorm),
        word.health.contextDrift.map { String(format: "%.3f", $0) } ?? "-",
        word.health.vectors.map { $0.nearest.first?.word ?? "-" }.joined(separator: " "),
      ]
    }
    let notes = [
      "", "gain: of the initializer's loss; own pictures: their rank among all concepts', by what the word takes off",
      "colours, styles: asked for and seen in the pixels, in brackets with the initializer; norm: in brackets the "
        + "vocabulary's",
    ]
    return (aligned([head] + rows) + notes).joined(separator: "\n")
  }

  private func rank(_ word: WordEvaluation) -> String {
    guard let retrieval = word.retrieval, let rank = retrieval.rank else { return "-" }
    return "\(rank) of \(retrieval.gains.count)"
  }

  private func shares(_ word: WordEvaluation, _ share: (Editability) -> Double) -> String {
    guard let own = word.editability else { return "-" }
    return percent(share(own)) + (word.initializerEditability.map { " (\(percent(share($0))))" } ?? "")
  }

  private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }
  private func percent(_ share: Double) -> String { String(format: "%.0f %%", 100 * share) }
}
