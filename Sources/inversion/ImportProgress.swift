import Foundation
import Import
import Models

/// Shows an import on standard error: a line that renews itself on a terminal, one line a network elsewhere.
final class ImportProgress {
  private var line = RenewedLine()
  private var shown: Network?

  func show(_ progress: ModelImport.Progress) {
    if RenewedLine.isOnTerminal {
      line.show("importing '\(progress.network.rawValue)': \(100 * progress.done / max(1, progress.total)) %")
    } else if progress.network != shown {
      shown = progress.network
      note("importing '\(progress.network.rawValue)'")
    }
  }

  func end() { line.clear() }
}
