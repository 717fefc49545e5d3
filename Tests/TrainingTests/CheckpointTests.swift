import Errors
import Formats
import Foundation
import Models
import Testing

@testable import Training

/// A training that is cut anywhere and taken up from its checkpoint ends as the whole one.
@Suite struct CheckpointTests {
  private let model: DiffusionModel
  private let pictures = (0..<3).map { TestPicture.concept($0) }

  init() throws { model = try GoldenTraining.model("sd1-tiny") }

  private func settings(_ change: (inout TrainingSettings) -> Void = { _ in }) -> TrainingSettings {
    var settings = TrainingSettings(token: "<spot>", initializer: "cat")
    (settings.steps, settings.batch, settings.stopping.interval) = (8, 2, 3)
    change(&settings)
    return settings
  }

  private func trainer(
    _ settings: TrainingSettings, _ pictures: [ConceptPicture]? = nil, validation: Int = 4
  ) throws -> Trainer {
    try Trainer(
      model: model, pictures: pictures ?? self.pictures, settings: settings,
      validation: [TestPicture.concept(validation)])
  }

  /// A folder that is gone after the test.
  private func withFolder(_ body: (TrainingFolder) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("checkpoint-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let folder = TrainingFolder(path: path)
    try folder.make()
    try body(folder)
  }

  /// Everything that has state: moments, average, tags, crops, validation, the automatic stop (of the last in step 7).
  private static let kinds: [@Sendable (inout TrainingSettings) -> Void] = [
    { _ in },
    { settings in
      (settings.method, settings.averageDecay, settings.gradientClip) = (.plain, 0.9, 1)
      (settings.loss.offsetNoise, settings.loss.minSNR, settings.accumulate) = (0.1, 5, 2)
      settings.loss.contextWeight = 0.1
    },
    { settings in
      settings.learningRate = LearningRateSchedule([.init(rate: 0.1, lastStep: 6), .init(rate: 0.05, lastStep: nil)])
      (settings.stopping.interval, settings.stopping.window, settings.stopping.threshold) = (1, 2, 100)
    },
  ]

  @Test(arguments: [0, 1, 2], [1, 3, 5])
  func goesOnBitByBit(kind: Int, cut: Int) throws {
    try withFolder { folder in
      let settings = settings(Self.kinds[kind])
      let whole = try trainer(settings)
      let wholeSteps = Array(whole)
      let first = try trainer(settings)
      for _ in 0..<cut { _ = first.next() }
      try folder.save(first, Provenance(modelHash: "m"))
      // What the killed process did after its checkpoint is lost and done again.
      _ = first.next()
      let second = try trainer(settings)
      let checkpoint = try #require(try folder.checkpoint())
      #expect(checkpoint.step == cut && !checkpoint.isFinished)
      try second.resume(checkpoint, path: folder.checkpointPath, Provenance(modelHash: "m"))
      let rest = Array(second)
      #expect(rest.map(\.loss) == wholeSteps.dropFirst(cut).map(\.loss))
      #expect(rest.map(\.validationLoss) == wholeSteps.dropFirst(cut).map(\.validationLoss))
      #expect(second.hasStopped == (kind == 2) && second.hasStopped == whole.hasStopped)
      #expect(second.rows == whole.rows && second.record.bins == whole.record.bins)
      let (one, other) = (try whole.learnedEmbedding(), try second.learnedEmbedding())
      #expect(one.vectors == other.vectors && one.metadata == other.metadata)
    }
  }

  @Test func anotherTrainingsCheckpointIsRefusedWithTheReason() throws {
    try withFolder { folder in
      let first = try trainer(settings())
      _ = first.next()
      try folder.save(first, Provenance(modelHash: "m"))
      let checkpoint = try #require(try folder.checkpoint())
      func reason(_ other: Trainer, hash: String = "m") -> String {
        let error = #expect(throws: InversionError.self) {
          try other.resume(checkpoint, path: "c.json", Provenance(modelHash: hash))
        }
        #expect(error?.code == .invalidArgument && error?.message.contains("'c.json'") == true)
        return error?.message ?? ""
      }
      #expect(reason(try trainer(settings { $0.seed = 1 })).contains("'seed' is 0 there, 1 here"))
      #expect(reason(try trainer(settings { $0.loss.minSNR = 5 })).contains("'loss'"))
      #expect(reason(try trainer(settings { $0.learningRate = 0.1 })).contains("'learningRate' is not set there"))
      #expect(reason(try trainer(settings(), [TestPicture.concept(0)])).contains("other pictures"))
      let captioned = (0..<3).map { TestPicture.concept($0, templates: ["a red {}"]) }
      #expect(reason(try trainer(settings(), captioned)).contains("other pictures or captions"))
      #expect(reason(try trainer(settings(), validation: 5)).contains("other validation pictures"))
      #expect(reason(try trainer(settings()), hash: "n").contains("another model"))
    }
  }

  @Test(arguments: ["", "{}", "[1, 2]", "{\"kind\": \"inversion training checkpoint\", \"version\": 1}"])
  func filesThatAreNoCheckpoint(text: String) throws {
    try withFolder { folder in
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder.checkpointPath))
      let error = #expect(throws: InversionError.self) { try folder.checkpoint() }
      #expect(error?.code == .badFile && error?.message.contains(folder.checkpointPath) == true)
    }
  }

  @Test func cutFilesAreRefused() throws {
    try withFolder { folder in
      let first = try trainer(settings())
      _ = first.next()
      try folder.save(first, Provenance())
      let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.checkpointPath))
      for count in [1, bytes.count / 2, bytes.count - 1] {
        try bytes.prefix(count).write(to: URL(fileURLWithPath: folder.checkpointPath))
        #expect(throws: InversionError.self) { try folder.checkpoint() }
      }
    }
  }
}
