import ArgumentParser
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

/// Lines of columns, each as wide as its widest cell, two spaces apart.
func aligned(_ rows: [[String]]) -> [String] {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
  return rows.map { row in
    let cells = row.enumerated().map { i, cell in
      i == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[i] - cell.count)
    }
    return cells.joined(separator: "  ")
  }
}

/// One line on standard error.
func note(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

/// A number with at most four decimals, for tables.
func rounded(_ value: Double) -> String { "\((value * 10_000).rounded() / 10_000)" }
