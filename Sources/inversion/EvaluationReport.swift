import Foundation
import Training

/// What `inversion evaluate` prints, as tables or as JSON.
struct EvaluationReport: Encodable {
  let concepts: ConceptEvaluation
  let knownWords: KnownWordGap?

  private enum CodingKeys: String, CodingKey { case concepts, knownWords, retrieval }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(concepts, forKey: .concepts)
    try container.encode(concepts.retrieval, forKey: .retrieval)
    try container.encodeIfPresent(knownWords, forKey: .knownWords)
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  var text: String {
    var lines = ["held-out loss at timesteps \(concepts.timesteps), \(concepts.draws) draws a picture"]
    let rows = concepts.rows.map { row in
      [
        row.concept, decimals(row.learnedLoss), decimals(row.initializerLoss), "'\(row.initializer)'",
        percent(row.gain), "\(row.retrieved)/\(row.pictures)",
      ]
    }
    lines += table(["concept", "learned", "initializer", "", "gain", "retrieved"], rows)
    lines += ["", "retrieval: \(percent(concepts.retrieval)) of the pictures go to their own word", ""]
    lines.append("loss of each concept's pictures (rows) under each word (columns)")
    lines += table(
      [""] + concepts.rows.map(\.concept), concepts.rows.map { [$0.concept] + $0.losses.map(decimals) })
    if let knownWords { lines += [""] + known(knownWords) }
    return lines.joined(separator: "\n")
  }

  private func known(_ gap: KnownWordGap) -> [String] {
    let rows = gap.rows.map { row in
      [row.word, decimals(row.loss), row.neighbour, decimals(row.neighbourLoss), decimals(row.othersLoss)]
    }
    let summary =
      "a known word gains \(percent(gap.gapToNeighbour)) over its neighbour, \(percent(gap.gapToOthers)) over others"
    return ["known words on their own pictures"]
      + table(["word", "loss", "neighbour", "its loss", "others"], rows) + ["", summary]
  }

  /// Columns as wide as their longest cell.
  private func table(_ head: [String], _ rows: [[String]]) -> [String] {
    let all = [head] + rows
    let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: "  ")
    }
  }

  private func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
}
