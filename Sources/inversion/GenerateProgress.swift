import Foundation
import Wire

/// Shows a job on standard error: a bar that renews itself on a terminal, plain lines elsewhere.
final class GenerateProgress {
  private var bar = RenewedLine()

  /// Plain lines of a whole job.
  private static let lines = 5

  func show(_ event: GenerateEvent) {
    switch event {
    case .queued(let queued) where queued.ahead > 0:
      note("waiting for \(queued.ahead) \(queued.ahead == 1 ? "job" : "jobs")")
    case .progress(let progress): show(progress)
    case .queued, .started, .result, .error: break
    }
  }

  /// Leaves the last bar standing.
  func end() { bar.end() }

  private func show(_ progress: ProgressEvent) {
    let (step, steps) = (progress.step, max(progress.steps, progress.step))
    let each = progress.elapsedMilliseconds / 1000 / Double(step)
    let text =
      String(format: "%d/%d  %.2f s a step", step, steps, each) + ", \(clock(each * Double(steps - step))) left"
    if RenewedLine.isOnTerminal {
      bar.show(RenewedLine.bar(step, of: steps, beside: text))
    } else if step == steps || step % max(1, steps / Self.lines) == 0 {
      note("step \(text)")
    }
  }
}
