import Embeddings
import Errors
import Foundation
import Measurement
import Models
import Training

/// A word to learn: from what, how, and where it goes.
struct TrainingPlan {
  let images: String
  let output: String
  /// Folder of pictures to judge by, if the user has some.
  let validation: String?
  var settings: TrainingSettings

  /// Fewest pictures of which one is kept out of the training.
  private static let leastForHoldOut = 4

  /// A training of minutes should not find out at its end that its result cannot be written.
  func checkOutput() throws {
    guard output.hasSuffix(".safetensors") else {
      throw InversionError(.invalidArgument, "'--output \(output)': give a name that ends in '.safetensors'")
    }
    let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw InversionError(.fileUnavailable, "'\(folder)': not a folder that can be written; make it first")
    }
  }

  /// The pictures to learn from and those to judge by.
  func pictures(for model: DiffusionModel) throws -> (training: [ConceptPicture], validation: [ConceptPicture]) {
    var reader = ConceptPictures(side: model.nativeSize, multiple: model.sizeMultiple)
    (reader.framing, reader.isMasked) = (settings.framing, settings.loss.isMasked)
    (reader.token, reader.seed) = (settings.token, settings.seed)
    let given = try reader.read(folder: images)
    if let validation { return (given, try reader.read(folder: validation)) }
    guard given.count >= Self.leastForHoldOut else { return (given, given) }
    return (given.dropLast(), given.suffix(1))
  }
}

/// Trains a word, keeps checkpoints, shows progress and writes the file.
struct TrainingRun {
  let plan: TrainingPlan
  let stopping: StoppingOptions
  let provenance: Provenance
  let signals: StopSignals
  let painter: PreviewPainter?

  private var folder: TrainingFolder {
    let stem = String(plan.output.dropLast(".safetensors".count))
    return TrainingFolder(path: stopping.run ?? stem + ".training")
  }

  /// Warns, rather than being killed in the middle by the kernel. A budget is not chosen here: it may change the last
  /// digits of a training, and the same seed means the same word.
  private func adviseOnMemory(_ model: DiffusionModel) {
    let needed = model.trainingBytes(side: model.nativeSize, batch: plan.settings.batch)
    let room = MemoryRoom.now()
    guard plan.settings.budget == .unlimited, needed > room.available else { return }
    let left = room.available >> 20
    note(
      "warning: this takes about \(needed >> 20) MiB, and \(room.bound) leaves \(left) MiB; --memory-budget \(left)M "
        + "takes less, at the price of time")
  }

  /// - Returns: whether the training went to its end; false when it was asked to stop and left a checkpoint.
  func train(on model: DiffusionModel) throws -> Bool {
    let pictures = try plan.pictures(for: model)
    adviseOnMemory(model)
    let trainer = try Trainer(
      model: model, pictures: pictures.training, settings: plan.settings, validation: pictures.validation)
    try folder.make()
    try begin(trainer)
    var previews = painter.map { folder.previews(upTo: trainer.record.steps.count, prompt: $0.prompt) } ?? []
    var progress = TrainingProgress(steps: plan.settings.steps)
    defer { progress.end() }
    while let step = trainer.next() {
      progress.show(step)
      if let painter, step.step % painter.every == 0 { previews.append(try preview(painter, trainer)) }
      if step.step % stopping.checkpointEvery == 0 { try save(trainer, previews) }
      guard signals.isStopAsked, !trainer.isFinished else { continue }
      progress.end()
      try save(trainer, previews)
      note("stopped after step \(step.step); '\(folder.checkpointPath)' has it, go on with '--resume'")
      return false
    }
    progress.end()
    // The page of a training that diverged shows where; its checkpoint stays the one before.
    if trainer.hasDiverged { try folder.writeReport(trainer, provenance, previews: previews) }
    let word = try trainer.learnedEmbedding(provenance)
    if let painter, previews.last?.step != trainer.record.steps.count { previews.append(try preview(painter, trainer)) }
    try save(trainer, previews)
    try EmbeddingFile.write(word, to: plan.output)
    print(summary(word, trainer))
    return true
  }

  /// Takes up the checkpoint, if that is what is wanted.
  /// - Throws: `invalidArgument` when an unfinished training would be lost, or the checkpoint is another training's.
  private func begin(_ trainer: Trainer) throws {
    guard !stopping.restart, let checkpoint = try folder.checkpoint() else { return }
    if stopping.resume {
      try trainer.resume(checkpoint, path: folder.checkpointPath, provenance)
      note("going on after step \(checkpoint.step)")
    } else if !checkpoint.isFinished {
      throw InversionError(
        .invalidArgument,
        "'\(folder.checkpointPath)': a training that was stopped after step \(checkpoint.step); "
          + "go on with '--resume', or begin anew with '--restart'")
    }
  }

  private func save(_ trainer: Trainer, _ previews: [TrainingPreview]) throws {
    try folder.save(trainer, provenance)
    try folder.writeReport(trainer, provenance, previews: previews)
  }

  /// A picture of the word as it stands.
  private func preview(_ painter: PreviewPainter, _ trainer: Trainer) throws -> TrainingPreview {
    let preview = try painter.paint(trainer.currentEmbedding, step: trainer.record.steps.count)
    try folder.write(preview)
    return preview
  }

  private func summary(_ word: LearnedEmbedding, _ trainer: Trainer) -> String {
    var line = "\(plan.output): '\(word.name)', \(word.count) x \(word.width), step \(word.metadata["steps"] ?? "")"
    if let learned = trainer.learnedLoss, let initializer = trainer.initializerLoss {
      let change = String(format: "%+.2f", 100 * (learned / initializer - 1))
      line +=
        "; validation loss \(decimals(learned)), \(change) % against '\(plan.settings.initializer)' "
        + decimals(initializer)
    }
    if trainer.hasStopped { line += "; settled after step \(trainer.record.steps.count)" }
    return line
  }
}
