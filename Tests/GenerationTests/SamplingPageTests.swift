import Foundation
import Generation
import Schedules
import Testing

/// docs/sampling.md against the table in code.
@Suite struct SamplingPageTests {
  private static let rows: [[String]] = {
    let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = (try? String(contentsOf: top.appending(path: "docs/sampling.md"), encoding: .utf8)) ?? ""
    let tables = page.split(separator: "## Noise")[0]
    return tables.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
      line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
        .map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }()

  @Test func everySamplerHasItsRow() {
    let table = Self.rows.filter { $0.count == 6 }.map { $0.prefix(4).joined(separator: " | ") }
    let expected = SamplerName.allCases.map { sampler in
      [
        "`\(sampler.rawValue)`", sampler.displayName, sampler.aliases.map { "`\($0)`" }.joined(separator: ", "),
        sampler.takesScheduler ? "yes" : "no",
      ].joined(separator: " | ")
    }
    #expect(table == expected)
  }

  @Test func everySchedulerHasItsRow() {
    let table = Self.rows.filter { $0.count == 2 }.map { $0[0] }
    #expect(table == ["`automatic`"] + SigmaSpacing.allCases.map { "`\($0.rawValue)`" })
  }
}
