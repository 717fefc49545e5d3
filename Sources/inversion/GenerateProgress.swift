import Foundation
import Wire

/// Shows a job on standard error: a bar that renews itself on a terminal, plain lines elsewhere.
final class GenerateProgress {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var barIsShown = false

  private static let barWidth = 30
  /// Plain lines of a whole job.
  private static let lines = 5

  func show(_ event: GenerateEvent) {
    switch event {
    case .queued(let queued) where queued.ahead > 0: line("waiting for \(queued.ahead) jobs")
    case .progress(let progress): show(progress)
    case .queued, .started, .result, .error: break
    }
  }

  /// Leaves the last bar standing.
  func end() {
    if barIsShown { write("\n") }
  }

  private func show(_ progress: ProgressEvent) {
    let (step, steps) = (progress.step, max(progress.steps, progress.step))
    let each = progress.elapsedMilliseconds / 1000 / Double(step)
    let text = String(format: "%d/%d  %.2f s a step, %.0f s left", step, steps, each, each * Double(steps - step))
    if isTerminal {
      let filled = Self.barWidth * step / steps
      let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: Self.barWidth - filled)
      write("\r[\(bar)] \(text)\u{1B}[K")
      barIsShown = true
    } else if step == steps || step % max(1, steps / Self.lines) == 0 {
      line("step \(text)")
    }
  }

  private func line(_ text: String) { write("\(text)\n") }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
