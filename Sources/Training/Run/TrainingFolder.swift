import Errors
import Files
import FoundationEssentials

/// The folder beside a word's file in which its training keeps what it needs to go on, and what there is to see.
public struct TrainingFolder: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  public var checkpointPath: String { "\(path)/checkpoint.json" }

  /// Makes the folder.
  /// - Throws: `fileUnavailable`.
  public func make() throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw InversionError(.fileUnavailable, "'\(path)': cannot be made; give another folder with '--run'")
    }
  }

  /// The checkpoint of a training; nil where there is none yet.
  /// - Throws: `badFile` for a file that is none.
  public func checkpoint() throws -> TrainingCheckpoint? {
    guard FileManager.default.fileExists(atPath: checkpointPath) else { return nil }
    return try TrainingCheckpoint(path: checkpointPath)
  }

  /// Writes the checkpoint: a kill at any moment leaves the old one or the new one.
  /// - Throws: `fileUnavailable`.
  public func save(_ trainer: Trainer, _ provenance: Provenance) throws {
    try TrainingCheckpoint(trainer, provenance).write(to: checkpointPath)
  }

  /// Writes what there is to see: a table for spreadsheets, curves for TensorBoard, and a page for people.
  /// - Throws: `fileUnavailable`.
  public func writeReport(_ trainer: Trainer, _ provenance: Provenance, previews: [TrainingPreview]) throws {
    let (record, seed) = (trainer.record, trainer.settings.seed)
    try AtomicFile.write(Array(record.csv.utf8), path: "\(path)/metrics.csv")
    // TensorBoard knows its files by this name; the same one each time, so that a resumed training goes on in it.
    try AtomicFile.write(record.events(start: record.started), path: "\(path)/events.out.tfevents.\(seed).inversion")
    let report = try TrainingReport(trainer, provenance, previews: previews)
    try AtomicFile.write(Array(report.html.utf8), path: "\(path)/report.html")
  }

  /// The previews of a training that goes on, in the order of their steps.
  public func previews(upTo step: Int, prompt: String) -> [TrainingPreview] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: previewFolder)) ?? []
    let found: [TrainingPreview] = names.compactMap { name in
      guard let number = Int(name.prefix { $0.isNumber }), number <= step,
        let png = try? readFile(path: "\(previewFolder)/\(name)")
      else { return nil }
      return TrainingPreview(step: number, prompt: prompt, png: png)
    }
    return found.sorted { $0.step < $1.step }
  }

  /// - Throws: `fileUnavailable`.
  public func write(_ preview: TrainingPreview) throws {
    try? FileManager.default.createDirectory(atPath: previewFolder, withIntermediateDirectories: true)
    try AtomicFile.write(preview.png, path: "\(previewFolder)/\(preview.step).png")
  }

  private var previewFolder: String { "\(path)/previews" }
}

extension TrainingRecord {
  /// A line a step; the validation loss is empty where there was no validation.
  var csv: String {
    let lines = steps.map { step in
      "\(step.step),\(step.loss),\(step.validationLoss.map { "\($0)" } ?? ""),\(step.learningRate),"
        + "\(step.gradientNorm),\(step.embeddingNorm),\(step.seconds)\n"
    }
    return "step,loss,validation_loss,learning_rate,gradient_norm,embedding_norm,seconds\n" + lines.joined()
  }
}
