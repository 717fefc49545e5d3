import Foundation
import Training

/// Shows a training on standard error: a bar that renews itself on a terminal, plain lines elsewhere.
struct TrainingProgress {
  private let steps: Int
  private let isTerminal = isatty(STDERR_FILENO) == 1
  /// Running mean: single losses jump with their timesteps.
  private var loss: Double?
  private var validation: Double?
  private var lastShown: ContinuousClock.Instant?

  private static let barWidth = 30
  private static let lines = 20
  /// Of the running mean, in steps.
  private static let memory = 20.0

  init(steps: Int) { self.steps = steps }

  mutating func show(_ step: TrainingStep) {
    let weight = max(1 / Self.memory, 1 / Double(step.step))
    loss = loss.map { $0 + weight * (step.loss - $0) } ?? step.loss
    validation = step.validationLoss ?? validation
    let isLast = step.step == steps
    if isTerminal {
      let now = ContinuousClock.now
      guard isLast || lastShown.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
      lastShown = now
      write("\r\(bar(step.step)) \(text(step))\u{1B}[K")
    } else if isLast || step.step % max(1, steps / Self.lines) == 0 {
      write("step \(text(step))\n")
    }
  }

  /// Leaves the last bar standing.
  func end() {
    if isTerminal { write("\n") }
  }

  private func bar(_ step: Int) -> String {
    let filled = Self.barWidth * step / steps
    return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: Self.barWidth - filled) + "]"
  }

  private func text(_ step: TrainingStep) -> String {
    let remaining = Double(steps - step.step) / step.stepsPerSecond
    var parts = ["\(step.step)/\(steps)", "loss \(decimals(loss ?? step.loss))"]
    if let validation { parts.append("validation \(decimals(validation))") }
    parts.append(String(format: "norm %.3f", step.embeddingNorm))
    parts.append(String(format: "%.2f steps/s", step.stepsPerSecond))
    parts.append("ETA \(clock(Int(remaining.rounded(.up))))")
    if let megabytes = Self.residentMegabytes { parts.append("\(megabytes) MB") }
    return parts.joined(separator: "  ")
  }

  /// What this process has in memory.
  private static var residentMegabytes: Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    return pages.map { ($0 * sysconf(Int32(_SC_PAGESIZE))) >> 20 }
  }

  /// m:ss, or h:mm:ss.
  private func clock(_ seconds: Int) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, seconds % 60) : String(format: "%d:%02d", minutes, seconds % 60)
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
