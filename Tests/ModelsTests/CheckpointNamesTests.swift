import Foundation
import Testing

@testable import Models

/// The rules of `CheckpointNames` against tables of every weight of Stable Diffusion 1.5 and 2.1.
@Suite struct CheckpointNamesTests {
  private struct Row {
    let component: String
    let path: String
    let expected: WeightNames.Place
  }

  private static func rows(_ file: String) throws -> [Row] {
    let root = try #require(Bundle.module.resourcePath)
    let text = try String(contentsOfFile: "\(root)/Golden/checkpoint-names/\(file).tsv", encoding: .utf8)
    return text.split(separator: "\n").map { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      // The engine's own paths have no `text_model.`.
      let path = fields[1].hasPrefix("text_model.") ? String(fields[1].dropFirst(11)) : fields[1]
      return Row(
        component: fields[0], path: path,
        expected: WeightNames.Place(name: fields[2], third: fields.count > 3 ? Int(fields[3]) : nil))
    }
  }

  @Test(arguments: [("sd1", 1130), ("sd2", 1058)])
  func everyWeightIsFound(file: String, count: Int) throws {
    let rows = try Self.rows(file)
    #expect(rows.count == count)
    let wrong = rows.filter { row in
      let names: WeightNames =
        switch row.component {
        case "unet": .checkpointUNet
        case "vae": .checkpointAutoencoder(levels: 4)
        default: .checkpointText
        }
      return !names.candidates(for: row.path).contains(row.expected)
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(3))")
  }
}
