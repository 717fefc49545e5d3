import Embeddings
import Errors
import Models
import Testing

@testable import Training

@Suite struct EvaluationTests {
  private let model: DiffusionModel

  init() throws { model = try GoldenTraining.model("sd1-tiny") }

  @Test func validationIsTheSameEveryTimeAndTellsWordsApart() throws {
    func losses(_ text: String) throws -> [Double] {
      let pictures = [TestPicture.concept(0), TestPicture.concept(3, templates: ["the red {}"])]
      return try ValidationLoss(model: model, pictures: pictures, window: .uniform, draws: 3).losses(text: text)
    }
    let cat = try losses("cat")
    #expect(try cat == losses("cat"))
    #expect(cat.count == 2 && cat[0] != cat[1])
    #expect(try cat != losses("fox"))
  }

  @Test func aVocabularyRowAsLearnedVectorIsTheWordItself() throws {
    let validation = ValidationLoss(model: model, pictures: [TestPicture.concept()], window: .noisy, draws: 3)
    let row = model.textEncoder.embeddings.row(try model.initializerID("cat"))
    let (learned, word) = (try validation.losses(vectors: row), try validation.losses(text: "cat"))
    #expect(abs(learned[0] / word[0] - 1) < 1e-6)
  }

  private func word(_ name: String, _ text: String) throws -> LearnedEmbedding {
    LearnedEmbedding(
      name: name, vectors: model.textEncoder.embeddings.row(try model.initializerID(text)), width: 16, sha256: "",
      metadata: ["initializer": "dog"])
  }

  @Test func evaluationComparesEveryWordOnEveryPicture() throws {
    let heldOut = [TestPicture.concept(1), TestPicture.concept(4)]
    let concepts = [
      ConceptEvaluation.Concept(name: "one", word: try word("<one>", "cat"), heldOut: heldOut),
      ConceptEvaluation.Concept(name: "two", word: try word("<two>", "fox"), heldOut: heldOut),
    ]
    let evaluation = try ConceptEvaluation(concepts, model: model, window: .noisy, draws: 3)
    // The same pictures for both: each goes to exactly one word.
    #expect(evaluation.rows.map(\.retrieved).reduce(0, +) == 2 && evaluation.retrieval == 0.5)
    let row = evaluation.rows[0]
    #expect(row.losses.count == 2 && row.losses[0] == row.learnedLoss && row.losses[0] != row.losses[1])
    #expect(evaluation.rows[1].losses == row.losses)
    #expect(abs(row.gain - (1 - row.learnedLoss / row.initializerLoss)) < 1e-12)
  }

  @Test func wordsOfAnotherModelAreRefused() throws {
    let wide = LearnedEmbedding(name: "<one>", vectors: Array(repeating: 1, count: 768), width: 768, sha256: "")
    let concept = ConceptEvaluation.Concept(name: "one", word: wide, heldOut: [TestPicture.concept()])
    let error = #expect(throws: InversionError.self) {
      try ConceptEvaluation([concept], model: model, window: .noisy, draws: 1)
    }
    #expect(error?.code == .badEmbedding && error?.message.contains("768") == true)
  }

  @Test func theGapOfKnownWordsIsAgainstTheBestOther() throws {
    let known = ["cat", "fox", "dog"].enumerated().map { ($1, [TestPicture.concept($0)]) }
    let gap = try KnownWordGap(known, model: model, window: .noisy, draws: 2)
    #expect(gap.rows.map(\.word) == ["cat", "fox", "dog"])
    for row in gap.rows { #expect(row.neighbour != row.word && row.neighbourLoss <= row.othersLoss) }
    #expect(gap.gapToNeighbour <= gap.gapToOthers)
    let alone = #expect(throws: InversionError.self) {
      try KnownWordGap([known[0]], model: model, window: .noisy, draws: 1)
    }
    #expect(alone?.code == .invalidArgument)
  }
}
