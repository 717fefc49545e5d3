import Embeddings
import Errors
import Foundation
import Images
import Kernels
import Models
import Testing

@testable import Training

@Suite struct TrainerTests {
  private let model: DiffusionModel
  private let pictures = (0..<3).map { TestPicture.concept($0) }

  init() throws { model = try GoldenTraining.model("sd1-tiny") }

  private func settings(
    _ change: (inout TrainingSettings) throws -> Void = { _ in }
  ) rethrows -> TrainingSettings {
    var settings = TrainingSettings(token: "<spot>", initializer: "cat")
    (settings.steps, settings.batch) = (4, 2)
    try change(&settings)
    return settings
  }

  private func train(_ settings: TrainingSettings) throws -> (steps: [TrainingStep], trainer: Trainer) {
    let trainer = try Trainer(model: model, pictures: pictures, settings: settings)
    return (Array(trainer), trainer)
  }

  @Test func equalSeedsGiveEqualVectorsWhateverTheThreads() throws {
    let (steps, first) = try train(settings())
    #expect(steps.map(\.step) == [1, 2, 3, 4] && steps.allSatisfy { $0.loss > 0 && $0.stepsPerSecond > 0 })
    Parallel.threads = 1
    defer { Parallel.threads = 0 }
    #expect(try train(settings()).trainer.rows == first.rows)
    #expect(try train(settings { $0.seed = 1 }).trainer.rows != first.rows)
  }

  @Test(arguments: TrainingMethod.allCases)
  func lossFalls(method: TrainingMethod) throws {
    let validation = ValidationLoss(model: model, pictures: pictures, window: .noisy, draws: 4)
    let initializer = try validation.losses(text: "cat").reduce(0, +)
    let (_, trainer) = try train(
      settings {
        $0.method = method
        $0.steps = 25
        $0.batch = 6
        $0.learningRate = 0.03
      })
    let learned = try validation.losses(vectors: trainer.learnedEmbedding().vectors).reduce(0, +)
    #expect(learned < initializer)
  }

  @Test func directionalTrainingKeepsTheVocabularysNorm() throws {
    let (steps, _) = try train(
      settings {
        $0.method = .directional
        $0.vectors = 2
      })
    let norm = model.textEncoder.embeddings.meanNorm
    #expect(steps.allSatisfy { abs($0.embeddingNorm - norm) < 1e-9 })
    let (others, _) = try train(settings { $0.norm = .initializer })
    let row = model.textEncoder.embeddings.row(try model.initializerID("cat"))
    let length = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    #expect(abs(length - norm) > 0.01)
    #expect(others.allSatisfy { abs($0.embeddingNorm - length) < 1e-9 })
  }

  @Test func theBestValidatedStateIsKept() throws {
    // Steps far too long: the state wanders, and its best is seldom its last.
    let settings = settings {
      $0.steps = 60
      $0.learningRate = 0.9
    }
    let trainer = try Trainer(model: model, pictures: pictures, settings: settings, validation: pictures)
    let validated = trainer.compactMap { step in step.validationLoss.map { (step.step, $0) } }
    #expect(validated.map(\.0) == [10, 20, 30, 40, 50, 60])
    let initial = (0, try #require(trainer.record.initialLoss))
    let best = try #require(([initial] + validated).min { $0.1 < $1.1 })
    let learned = try trainer.learnedEmbedding()
    #expect(trainer.learnedLoss == best.1 && learned.metadata["steps"] == "\(best.0)")
    let again = ValidationLoss(model: model, pictures: pictures, window: settings.timesteps, draws: 8)
    #expect(try abs(mean(again.losses(vectors: learned.vectors)) - best.1) < 1e-9)
    #expect(try abs(mean(again.losses(text: "cat")) - (trainer.initializerLoss ?? 0)) < 1e-9)
  }

  @Test func theAutomaticStopWaitsForTheLastRate() throws {
    func steps(_ rate: String, automatic: Bool = true) throws -> Int {
      let settings = try settings {
        $0.steps = 8
        $0.learningRate = try LearningRateSchedule(text: rate)
        // Whatever the losses are, they count as settled as soon as there are three.
        ($0.stopping.interval, $0.stopping.window, $0.stopping.threshold) = (1, 2, 100)
        $0.stopping.isAutomatic = automatic
      }
      let trainer = try Trainer(model: model, pictures: pictures, settings: settings, validation: pictures)
      return Array(trainer).count
    }
    #expect(try steps("0.1") == 2 && steps("0.1:1, 0.05") == 2)
    #expect(try steps("0.2:2, 0.1:5, 0.05") == 6)
    #expect(try steps("0.1:12, 0.05") == 8, "the rate would change after the last step")
    #expect(try steps("0.1:5, 0.05", automatic: false) == 8)
  }

  @Test func directionalStepsAreLongFirstByDefault() throws {
    let schedule = try settings().effectiveLearningRate
    let rates = [1, 100, 101, 400].map { schedule.rate(step: $0, of: 400) }
    #expect(rates == [0.1, 0.1, 0.05, 0.05])
    let (steps, trainer) = try train(settings { $0.method = .plain })
    #expect(steps.allSatisfy { $0.learningRate == 0.005 })
    #expect(try trainer.learnedEmbedding().metadata["learning_rate"] == "0.005")
    #expect(try train(settings()).trainer.learnedEmbedding().metadata["learning_rate"] == "0.1:100, 0.05")
  }

  @Test func accumulationIsOneLargeBatch() throws {
    let trainer = try Trainer(model: model, pictures: pictures, settings: settings { $0.method = .plain })
    var source = try batches()
    let whole = source.next(4)
    let half = whole.elements * 2
    let parts = (0..<2).map { part in
      TrainingBatch(
        shape: whole.shape, latents: Array(whole.latents[part * half..<(part + 1) * half]),
        noise: Array(whole.noise[part * half..<(part + 1) * half]),
        timesteps: Array(whole.timesteps[part * 2..<part * 2 + 2]), ids: Array(whole.ids[part * 2..<part * 2 + 2]))
    }
    let other = try Trainer(model: model, pictures: pictures, settings: settings { $0.method = .plain })
    let (one, two) = (try #require(trainer.advance(on: [whole])), try #require(other.advance(on: parts)))
    #expect(abs(one.loss - two.loss) < 1e-6 * one.loss)
    #expect(zip(trainer.rows, other.rows).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  private func batches() throws -> BatchSource {
    let word = try LearnedWord("<spot>", vectors: 1, model: model)
    let captions = PromptTemplates.object.texts.map { Caption($0, words: "", model: model) }
    let items = pictures.map {
      BatchSource.Item(views: [PictureLatents($0.picture, model: model, memory: WorkingMemory())], captions: captions)
    }
    return BatchSource(items, plan: .init(timesteps: 500..<901, word: word.ids), seed: 9, model: model)
  }

  @Test func batchesTakePicturesInTurnAndStayInTheWindow() throws {
    var source = try batches()
    let drawn = (0..<20).map { _ in source.next(3) }
    #expect(drawn.flatMap(\.timesteps).allSatisfy { (500...900).contains($0) })
    #expect(Set(drawn.flatMap(\.timesteps)).count > 40)
    #expect(Set(drawn.flatMap(\.ids)).count > 15, "captions are drawn from all templates")
    // Latents are drawn anew each time, from the same distribution.
    #expect(drawn[0].latents != drawn[1].latents)
  }

  @Test func theFileSaysWhereTheWordComesFrom() throws {
    let (_, trainer) = try train(settings { $0.vectors = 2 })
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("training-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/spot.safetensors"
    let learned = try trainer.learnedEmbedding()
    try EmbeddingFile.write(learned, to: path)
    let read = try EmbeddingFile.read(path)
    #expect(read.name == "<spot>" && read.count == 2 && read.width == 16 && read.vectors == learned.vectors)
    #expect(read.metadata["base_model"] == "sd1-tiny" && read.metadata["method"] == "dti")
    #expect(read.metadata["initializer"] == "cat" && read.metadata["steps"] == "4")
    #expect(read.metadata["pictures_sha256"] == "hash0 hash1 hash2")
  }

  @Test func aNegativeWordIsMarkedAndNotJudgedAsAnother() throws {
    let trainer = try Trainer(
      model: model, pictures: pictures, settings: settings { $0.negativeGuidance = 3 }, validation: pictures)
    let steps = Array(trainer)
    #expect(steps.count == 4 && steps.allSatisfy { $0.loss.isFinite } && trainer.rows != trainer.initial.rows)
    let learned = try trainer.learnedEmbedding()
    #expect(learned.metadata["polarity"] == "negative" && learned.metadata["negative_guidance"] == "3.0")
    #expect(try train(settings()).trainer.learnedEmbedding().metadata["polarity"] == nil)
    let error = #expect(throws: InversionError.self) { try WordExam(model: model, settings: .init()).judge(learned) }
    #expect(error?.code == .badEmbedding && error?.message.contains("negative") == true)
  }

  @Test func theAverageIsWhatIsValidatedAndKeptAtItsLength() throws {
    let (_, trainer) = try train(settings { $0.learningRate = 0.3 })
    let width = trainer.initial.width
    let kept = trainer.bestRows
    let average = try #require(trainer.state.average)
    #expect(kept == rescaled(average.rows, width: width, to: model.textEncoder.embeddings.meanNorm))
    #expect(kept != trainer.rows, "the vectors themselves are further")
    let (_, plain) = try train(settings { ($0.learningRate, $0.averageDecay) = (0.3, nil) })
    #expect(plain.bestRows == plain.rows && plain.rows == trainer.rows)
  }

  @Test func whatIsNotFiniteIsTakenBackAndInTheEndGivenUp() throws {
    let trainer = try Trainer(model: model, pictures: pictures, settings: settings { $0.method = .plain })
    var source = try batches()
    let good = source.next(1)
    let bad = TrainingBatch(
      shape: good.shape, latents: good.latents, noise: good.noise.map { _ in .nan }, timesteps: good.timesteps,
      ids: good.ids)
    let initial = trainer.rows
    let first = try #require(trainer.advance(on: [good]))
    #expect(trainer.rows != initial)
    #expect(trainer.advance(on: [bad]) == nil)
    #expect(trainer.rows == initial, "the last state that was kept")
    let second = try #require(trainer.advance(on: [good]))
    #expect(second.learningRate == first.learningRate / 2 && trainer.rollBacks == 1)
    for _ in 0..<3 { _ = trainer.advance(on: [bad]) }
    #expect(trainer.next() == nil)
    let error = #expect(throws: InversionError.self) { try trainer.learnedEmbedding() }
    #expect(error?.code == .diverged)
  }
}
