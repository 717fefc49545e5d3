import Foundation

/// A picture that the word made at a step of its training.
public struct TrainingPreview: Sendable, Equatable, Codable {
  public let step: Int
  public let prompt: String
  /// A file that browsers show.
  public let png: [UInt8]

  public init(step: Int, prompt: String, png: [UInt8]) {
    (self.step, self.prompt, self.png) = (step, prompt, png)
  }
}

/// What a training was like, as one page that needs no other file.
struct TrainingReport {
  let trainer: Trainer
  let provenance: Provenance
  let previews: [TrainingPreview]
  let health: EmbeddingHealth

  init(_ trainer: Trainer, _ provenance: Provenance, previews: [TrainingPreview]) throws {
    (self.trainer, self.provenance, self.previews) = (trainer, provenance, previews)
    health = try EmbeddingHealth(rows: trainer.bestRows, initializer: trainer.initial.ids, model: trainer.model)
  }

  var html: String {
    let title = "Training of \(trainer.settings.token)".escaped
    let sections = [
      section("Loss", lossChart.svg + note(lossNote)),
      section("Previews", previewGrid),
      section("Loss by noise level", binTable + note("Of all pictures so far; high timesteps are nearly pure noise.")),
      section("Health of the word", healthTable + note(healthNote)),
      section("Course", rateChart.svgUnlessFlat + normChart.svgUnlessFlat),
      section("Settings", table(settingRows)),
      section("Data", table(dataRows)),
    ]
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
      <title>\(title)</title><style>\(Self.style)</style></head>
      <body><h1>\(title)</h1><p class="summary">\(summary)</p>
      \(sections.joined(separator: "\n"))
      </body></html>

      """
  }

  // MARK: Text

  private var record: TrainingRecord { trainer.record }

  private var summary: String {
    let steps = record.steps.count
    var text = "\(steps) of at most \(trainer.settings.steps) steps"
    if trainer.hasStopped { text += ", ended because the validation loss had settled" }
    if trainer.rollBacks > 0 {
      let often = trainer.rollBacks == 1 ? "once" : "\(trainer.rollBacks) times"
      text += ", taken back \(often) because something was not finite"
    }
    if trainer.hasDiverged { text += ", <strong>diverged</strong>" }
    if let loss = trainer.learnedLoss {
      text += ". Kept: step \(trainer.bestStep), validation loss <strong>\(loss.figure)</strong>"
      if let other = record.initializerLoss, other > 0 {
        let change = String(format: "%.0f %%", 100 * abs(loss / other - 1))
        text += ", \(change) \(loss <= other ? "below" : "above") '\(trainer.settings.initializer.escaped)'"
      }
    }
    return text + "."
  }

  private var lossNote: String {
    "Training losses jump with the timesteps that are drawn: the line is their running mean. The validation loss is of "
      + "fixed pictures, noise and timesteps, so that its changes are the word's."
      + (judging.isEmpty
        ? " Here they are those that it learns from: of four pictures, one would be kept to judge by." : "")
  }

  private var healthNote: String {
    "A norm far above the vocabulary's takes over prompts. Context drift is how much the word changes those after it "
      + "against its initializer: under 0.1 prompts stay editable. The prior says whether the initializer still means "
      + "itself behind the word: near 1 it does."
  }

  private func section(_ title: String, _ body: String) -> String {
    body.isEmpty ? "" : "<section><h2>\(title)</h2>\n\(body)</section>"
  }

  private func note(_ text: String) -> String { "<p class=\"note\">\(text.escaped)</p>" }

  // MARK: Charts

  private var lossChart: LineChart {
    var mean: Double?
    let smooth = record.steps.map { step in
      let value = mean.map { $0 + 0.05 * (step.loss - $0) } ?? step.loss
      mean = value
      return (x: Double(step.step), y: value)
    }
    let initial = record.initialLoss.map { [(x: 0.0, y: $0)] } ?? []
    let validations =
      initial
      + record.steps.compactMap { step in
        step.validationLoss.map { (x: Double(step.step), y: $0) }
      }
    var chart = LineChart(
      title: "Loss",
      curves: [
        .init(name: "training", style: "a", points: smooth),
        .init(name: "validation", style: "b", points: validations, hasDots: true),
      ])
    if let loss = record.initializerLoss, let last = record.steps.last {
      chart.curves.append(
        .init(name: "initializer", style: "c", points: [(x: 0, y: loss), (x: Double(last.step), y: loss)]))
    }
    if trainer.learnedLoss != nil { chart.marks = [(x: Double(trainer.bestStep), label: "kept: \(trainer.bestStep)")] }
    return chart
  }

  private func chart(_ title: String, _ value: (TrainingStep) -> Double) -> LineChart {
    LineChart(
      title: title,
      curves: [.init(name: title, style: "a", points: record.steps.map { (x: Double($0.step), y: value($0)) })])
  }

  private var rateChart: LineChart { chart("learning rate", \.learningRate) }

  private var normChart: LineChart {
    var chart = chart("length of the vectors", \.embeddingNorm)
    if !chart.isFlat, let last = record.steps.last {
      let norm = health.vocabularyNorm
      chart.curves.append(
        .init(name: "the vocabulary's mean", style: "c", points: [(x: 0, y: norm), (x: Double(last.step), y: norm)]))
    }
    return chart
  }

  // MARK: Tables

  /// - Parameter head: the columns' names; without them, a row is a name and what it has.
  private func table(_ rows: [[String]], head: [String] = []) -> String {
    func cells(_ row: [String], _ tag: String) -> String {
      "<tr>" + row.map { "<\(tag)>\($0.escaped)</\(tag)>" }.joined() + "</tr>"
    }
    let lines = (head.isEmpty ? [] : [cells(head, "th")]) + rows.map { cells($0, "td") }
    let table = head.isEmpty ? "<table class=\"pairs\">" : "<table>"
    return "<div class=\"scroll\">\(table)" + lines.joined(separator: "\n") + "</table></div>"
  }

  private var previewGrid: String {
    previews.map { preview in
      let data = Data(preview.png).base64EncodedString()
      return "<figure><img alt=\"\(preview.prompt.escaped)\" src=\"data:image/png;base64,\(data)\">"
        + "<figcaption>step \(preview.step)<br>\(preview.prompt.escaped)</figcaption></figure>"
    }.joined()
  }

  private var binTable: String {
    let bins = record.bins.filter { $0.count > 0 }
    let largest = bins.compactMap(\.mean).max() ?? 1
    let rows = bins.map { bin in
      let mean = bin.mean ?? 0
      let percent = largest > 0 ? Int(100 * mean / largest) : 0
      return "<tr><td>\(bin.timesteps.lowerBound)–\(bin.timesteps.upperBound - 1)</td><td>\(mean.figure)</td>"
        + "<td>\(bin.count)</td><td class=\"bar\"><span style=\"width:\(percent)%\"></span></td></tr>"
    }
    guard !rows.isEmpty else { return "" }
    return "<table class=\"bars\"><tr><th>timesteps</th><th>loss</th><th>pictures</th><th></th></tr>"
      + rows.joined(separator: "\n") + "</table>"
  }

  private var healthTable: String {
    let rows = health.vectors.enumerated().map { index, vector in
      [
        "\(index + 1)", vector.norm.figure,
        vector.initializerCosine?.figure ?? "–",
        vector.nearest.map { "\($0.word) \(String(format: "%.2f", $0.cosine))" }.joined(separator: ", "),
      ]
    }
    let whole = [
      ["mean norm of the vocabulary", health.vocabularyNorm.figure],
      health.contextDrift.map { ["context drift", $0.figure] }, health.prior.map { ["prior", $0.figure] },
    ].compactMap(\.self)
    return table(rows, head: ["vector", "norm", "cosine to initializer", "nearest words, cosine"])
      + table(whole)
  }

  private var settingRows: [[String]] {
    provenance.metadata(of: trainer).filter { $0.key != "pictures_sha256" }.sorted { $0.key < $1.key }
      // The file's "steps" is the step whose vectors it holds.
      .map { [$0.key == "steps" ? "kept step" : $0.key.replacing("_", with: " "), $0.value] }
  }

  /// Pictures that are for validation alone.
  private var judging: [ConceptPicture] {
    let learned = Set(trainer.pictures.map(\.sha256))
    return trainer.validationPictures.filter { !learned.contains($0.sha256) }
  }

  private var dataRows: [[String]] {
    trainer.pictures.map { row($0, $0.caption.isWritten ? $0.caption.words : "") }
      + judging.map { row($0, "for validation alone") }
  }

  private func row(_ picture: ConceptPicture, _ note: String) -> [String] {
    [picture.path.split(separator: "/").last.map(String.init) ?? picture.path, picture.sha256, note]
  }
}
