import Foundation
import Import
import Synchronization

/// Shows a download on standard error: a line that renews itself on a terminal, one line a tenth elsewhere.
final class DownloadProgress: Sendable {
  private struct Shown {
    var path = ""
    var tenth = -1
    /// Bytes that were there when this program began with the file.
    var first = 0
    var began = ContinuousClock.now
    var line = RenewedLine()
  }
  private let shown = Mutex(Shown())

  func show(_ progress: ModelPull.Progress) {
    shown.withLock { shown in
      if shown.path != progress.path {
        shown.line.end()
        shown = Shown(path: progress.path, first: progress.bytes)
      }
      let share = progress.total.map { Double(progress.bytes) / Double(max(1, $0)) }
      let tenth = Int(10 * (share ?? 0))
      let isOnTerminal = RenewedLine.isOnTerminal
      guard isOnTerminal || tenth > shown.tenth else { return }
      shown.tenth = tenth
      let text = "\(progress.path): \(amount(progress, share))\(rate(progress, shown))"
      if isOnTerminal { shown.line.show(text) } else { note(text) }
    }
  }

  func end() {
    shown.withLock { shown in
      shown.line.end()
      shown.path = ""
    }
  }

  private func amount(_ progress: ModelPull.Progress, _ share: Double?) -> String {
    guard let total = progress.total, let share else { return readable(bytes: progress.bytes) }
    return "\(Int(100 * share)) % of \(readable(bytes: total))"
  }

  private func rate(_ progress: ModelPull.Progress, _ shown: Shown) -> String {
    let time = ContinuousClock.now - shown.began
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
    let perSecond = Double(progress.bytes - shown.first) / max(seconds, 1e-3)
    guard seconds > 1, perSecond > 0 else { return "" }
    let left = progress.total.map { ", \(clock(Double($0 - progress.bytes) / perSecond)) left" } ?? ""
    return String(format: ", %.1f MB/s", perSecond / 1e6) + left
  }
}
