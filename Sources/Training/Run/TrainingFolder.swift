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

  /// Writes the steps as a table that spreadsheets read.
  /// - Throws: `fileUnavailable`.
  public func writeMetrics(_ record: TrainingRecord) throws {
    try AtomicFile.write(Array(record.csv.utf8), path: "\(path)/metrics.csv")
  }
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
