import Foundation
import Training

/// Shows a training on standard error: a bar that renews itself on a terminal, plain lines elsewhere.
struct TrainingProgress {
  private let steps: Int
  private var bar = RenewedLine()
  /// Running mean: single losses jump with their timesteps.
  private var loss: Double?
  private var validation: Double?
  private var lastShown: ContinuousClock.Instant?
  private var latest: TrainingStep?
  private var shownStep = 0

  private static let lines = 20
  /// Of the running mean, in steps.
  private static let memory = 20.0

  init(steps: Int) { self.steps = steps }

  mutating func show(_ step: TrainingStep) {
    let weight = max(1 / Self.memory, 1 / Double(step.step))
    loss = loss.map { $0 + weight * (step.loss - $0) } ?? step.loss
    validation = step.validationLoss ?? validation
    latest = step
    let isLast = step.step == steps
    if RenewedLine.isOnTerminal {
      let now = ContinuousClock.now
      guard isLast || lastShown.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
      lastShown = now
      write(step)
    } else if isLast || step.step % max(1, steps / Self.lines) == 0 {
      write(step)
    }
  }

  /// Shows the last step, if it was passed over, and leaves it standing.
  mutating func end() {
    if let latest, latest.step != shownStep { write(latest) }
    bar.end()
  }

  private mutating func write(_ step: TrainingStep) {
    shownStep = step.step
    if RenewedLine.isOnTerminal {
      bar.show(RenewedLine.bar(step.step, of: steps, beside: text(step)))
    } else {
      note("step \(text(step))")
    }
  }

  private func text(_ step: TrainingStep) -> String {
    let remaining = Double(steps - step.step) / step.stepsPerSecond
    var parts = ["\(step.step)/\(steps)", "loss \(decimals(loss ?? step.loss))"]
    if let validation { parts.append("validation \(decimals(validation))") }
    parts.append(String(format: "norm %.3f", step.embeddingNorm))
    parts.append(String(format: "%.2f steps/s", step.stepsPerSecond))
    parts.append("\(clock(remaining)) left")
    if let megabytes = Self.residentMegabytes { parts.append("\(megabytes) MB") }
    return parts.joined(separator: "  ")
  }

  /// What this process has in memory.
  private static var residentMegabytes: Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    return pages.map { ($0 * sysconf(Int32(_SC_PAGESIZE))) >> 20 }
  }
}
