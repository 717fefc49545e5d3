import Foundation
import Import
import Models

/// Shows an import on standard error: a line that renews itself on a terminal, one line a network elsewhere.
final class ImportProgress {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var shown: Network?

  func show(_ progress: ModelImport.Progress) {
    if isTerminal {
      let percent = 100 * progress.done / max(1, progress.total)
      write("\r\u{1B}[K\(progress.network.rawValue): \(percent) %")
    } else if progress.network != shown {
      shown = progress.network
      note("importing '\(progress.network.rawValue)'")
    }
  }

  func end() { if isTerminal { write("\r\u{1B}[K") } }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
