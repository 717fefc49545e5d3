import ArgumentParser
import Errors
import Foundation

/// How a command that lists things prints them.
enum ListingFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json
}

/// The flag of all commands that list things.
struct ListingOption: ParsableArguments {
  @Option(help: "'table' or 'json'.")
  var format = ListingFormat.table

  /// Prints an answer of the daemon: as JSON, or as the rows of a table.
  func show(_ answer: some Encodable, rows: [[String]]) throws {
    switch format {
    case .json: print(try prettyJSON(answer))
    case .table: for line in aligned(rows) { print(line) }
    }
  }
}

func prettyJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// A SHA-256 fits. A longer cell moves the rest of its own line to the right, not that of all lines.
private let widestColumn = 64

/// Lines of columns, each as wide as its widest cell, two spaces apart.
func aligned(_ given: [[String]]) -> [String] {
  let rows = given.map { $0.map(\.printable) }
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in
    rows.compactMap { column < $0.count ? $0[column].columns : nil }.filter { $0 <= widestColumn }.max() ?? 0
  }
  return rows.map { row in
    let cells = row.enumerated().map { i, cell in
      i == row.count - 1 ? cell : cell + String(repeating: " ", count: max(0, widths[i] - cell.columns))
    }
    return cells.joined(separator: "  ")
  }
}

extension String {
  /// Columns that a terminal gives it: two for a character of East Asia and for an emoji.
  fileprivate var columns: Int {
    reduce(0) { sum, character in
      let isWide = character.unicodeScalars.first.map { scalar in
        Self.wide.contains { $0.contains(scalar.value) } || scalar.properties.isEmojiPresentation
      }
      return sum + (isWide == true ? 2 : 1)
    }
  }

  /// Hangul, CJK with kana and symbols, Yi, compatibility and full-width forms, and the planes of rare characters.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
    0xFE30...0xFE4F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD,
  ]
}

/// One line on standard error.
func note(_ text: String) { FileHandle.standardError.write(Data("\(text.printable)\n".utf8)) }

/// A number with at most four decimals, for tables.
func rounded(_ value: Double) -> String { "\((value * 10_000).rounded() / 10_000)" }
