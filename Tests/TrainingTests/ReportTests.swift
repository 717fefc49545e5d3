import Foundation
import Images
import Models
import Testing

@testable import Training

@Suite struct ReportTests {
  /// RFC 3720, appendix B.4, and the check value of the polynomial.
  @Test func checksumsAreThoseOfTheStandard() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum((0..<32).map(UInt8.init)) == 0x46DD_794E)
  }

  /// The bytes that the `tensorboard` package writes: Tools/golden/events.py.
  @Test func eventsAreTensorBoards() throws {
    let start = 1_700_000_000.0
    var file = EventFile(time: start)
    file.add("loss/training", 0.25, step: 1, time: start + 0.5)
    file.add("loss/validation", 0.125, step: 1, time: start + 0.5)
    file.add("norm/embedding", 0.4, step: 300, time: start + 90.25)
    let path = try #require(Bundle.module.resourcePath) + "/Golden/curves.tfevents"
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(file.bytes))
  }

  private func trainer(_ change: (inout TrainingSettings) -> Void = { _ in }) throws -> Trainer {
    var settings = TrainingSettings(token: "<spot>", initializer: "cat")
    (settings.steps, settings.batch, settings.stopping.interval) = (4, 1, 2)
    change(&settings)
    let model = try GoldenTraining.model("sd1-tiny")
    return try Trainer(
      model: model, pictures: [TestPicture.concept()], settings: settings, validation: [TestPicture.concept(2)])
  }

  @Test func thePageHoldsEverythingInItself() throws {
    let trainer = try trainer { $0.loss.minSNR = 5 }
    let steps = Array(trainer)
    let preview = TrainingPreview(step: 2, prompt: "a photo of <spot> & me", png: [1, 2, 3])
    let page = try TrainingReport(trainer, Provenance(licence: "CC0 \"1.0\""), previews: [preview]).html
    #expect(page.contains("Training of &lt;spot&gt;") && !page.contains("<spot>"), "what users write is escaped")
    #expect(page.contains("data:image/png;base64,AQID") && page.contains("a photo of &lt;spot&gt; &amp; me"))
    #expect(page.contains("CC0 &quot;1.0&quot;") && page.contains("<td>min snr</td><td>5.0</td>"))
    #expect(page.contains("hash2") && page.contains("for validation alone"))
    #expect(page.contains("hash0") && page.contains("polyline class=\"b\""))
    #expect(!page.contains("http") && !page.contains("src=\"/") && !page.contains("<script"), "nothing from outside")
    // A dot for the initial vectors and for each validation.
    #expect(page.components(separatedBy: "<circle").count - 1 == 1 + steps.count { $0.validationLoss != nil })
    let counted = trainer.record.bins.reduce(0) { $0 + $1.count }
    #expect(counted == 4 && trainer.record.bins.allSatisfy { $0.count == 0 || $0.timesteps.lowerBound >= 500 })
  }

  @Test(arguments: [
    (0.05261, 0.3425, 0.0, [0.1, 0.15, 0.2, 0.25, 0.3]), (0, 110, 1, [0, 20, 40, 60, 80, 100]), (0, 1, 1, [0, 1]),
    (0, 4, 1, [0, 1, 2, 3, 4]), (0, 2600, 1, [0, 500, 1000, 1500, 2000, 2500]), (0, 0, 1, [0]), (0, .nan, 0, []),
    (-3e-5, 7e-5, 0, [-2e-5, 0, 2e-5, 4e-5, 6e-5]),
  ])
  func axesHaveRoundNumbers(low: Double, high: Double, least: Double, ticks: [Double]) {
    let found = LineChart.ticks(from: low, to: high, least: least)
    #expect(found.count == ticks.count && zip(found, ticks).allSatisfy { abs($0 - $1) < 1e-9 }, "\(found)")
  }

  @Test func aChartOfOneNumberIsLeftOut() throws {
    let directional = try trainer()
    _ = Array(directional)
    let page = try TrainingReport(directional, Provenance(), previews: []).html
    #expect(!page.contains("<h2>Course</h2>") && !page.contains("<h2>Previews</h2>"), "no section without content")
    let plain = try trainer { $0.method = .plain }
    _ = Array(plain)
    let other = try TrainingReport(plain, Provenance(), previews: []).html
    #expect(other.contains("<h2>Course</h2>") && other.contains("the vocabulary's mean"))
    #expect(!other.contains("aria-label=\"learning rate\""))
  }

  /// What a mark says stands above the frame, where no curve can run through it.
  @Test func marksAreClearOfTheCurves() {
    var chart = LineChart(title: "", curves: [.init(name: "", style: "a", points: [(x: 0, y: 1), (x: 10, y: 2)])])
    chart.marks = [(x: 5, label: "kept: 5")]
    let places = chart.svg.matches(of: #/y="([0-9.]+)" text-anchor="(?:start|end)">kept/#).compactMap { Double($0.1) }
    let highest = chart.svg.matches(of: #/,([0-9.]+)/#).compactMap { Double($0.1) }.min()
    #expect(places.count == 1 && places[0] < (highest ?? 0) - 10)
  }

  @Test func aPageWithoutLossesIsAPage() throws {
    let trainer = try trainer()
    trainer.state.record.bins[7].count = 1
    let page = try TrainingReport(trainer, Provenance(), previews: []).html
    #expect(page.contains("700–") && page.contains("width:0%"))
  }

  @Test func itSaysWhenItIsJudgedByWhatItLearnsFrom() throws {
    let own = "those that it learns from"
    #expect(try !TrainingReport(trainer(), Provenance(), previews: []).html.contains(own))
    let model = try GoldenTraining.model("sd1-tiny")
    let picture = TestPicture.concept()
    let judged = try Trainer(
      model: model, pictures: [picture], settings: TrainingSettings(token: "<a>", initializer: "cat"),
      validation: [picture])
    #expect(try TrainingReport(judged, Provenance(), previews: []).html.contains(own))
  }

  @Test func metricsHaveALineAStep() throws {
    let trainer = try trainer()
    let steps = Array(trainer)
    let lines = trainer.record.csv.split(separator: "\n")
    #expect(lines.count == 5 && lines[0].hasPrefix("step,loss,validation_loss"))
    let second = lines[2].split(separator: ",", omittingEmptySubsequences: false)
    #expect(second.count == 7 && Double(second[1]) == steps[1].loss && Double(second[2]) == steps[1].validationLoss)
    #expect(lines[1].contains(",,"), "no validation in the first step")
  }

  @Test func healthTellsAWordFromItsInitializer() throws {
    let model = try GoldenTraining.model("sd1-tiny")
    let (cat, dog) = (try model.initializerID("cat"), try model.initializerID("dog"))
    let row = model.textEncoder.embeddings.row(cat).map(Double.init)
    let same = try EmbeddingHealth(rows: row.map { 3 * $0 }, initializer: [cat], model: model)
    #expect(same.vectors[0].nearest[0].word == "cat" && same.vectors[0].nearest.count == 5)
    #expect(abs((same.vectors[0].initializerCosine ?? 0) - 1) < 1e-6)
    #expect(abs(same.vectors[0].norm / norm(row[...]) - 3) < 1e-9)
    let exact = try EmbeddingHealth(rows: row, initializer: [cat], model: model)
    #expect(abs(exact.contextDrift ?? 1) < 1e-6 && abs((exact.prior ?? 0) - 1) < 1e-6)
    let other = try EmbeddingHealth(rows: row + row, initializer: [dog], model: model)
    #expect(other.vectors.count == 2 && (other.contextDrift ?? 0) > 1e-4 && (other.prior ?? 1) < 0.9999)
    let none = try EmbeddingHealth(rows: row, initializer: [], model: model)
    #expect(none.contextDrift == nil && none.prior == nil && none.vectors[0].initializerCosine == nil)
  }
}
