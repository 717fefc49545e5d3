import DaemonTestSupport
import Errors
import Foundation
import Testing

/// What the programs say of themselves, and the manual pages that are made of it.
@Suite(.timeLimit(.minutes(5))) struct HelpTests {
  private static let commands =
    [
      "generate", "status", "ps", "reload", "doctor", "train", "evaluate", "bench", "embeddings list",
      "embeddings show",
      "embeddings add", "embeddings remove", "embeddings inspect", "embeddings verify", "embeddings convert",
      "models import", "models pull", "models analyze", "models list", "models show", "models verify", "models remove",
    ]

  private static let project = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  /// All but the daemon's own.
  private static let statuses = Set(InversionError.Code.allCases.filter { $0 != .socketInUse }.map(\.exitStatus))

  @Test func everyExitStatusIsTold() async throws {
    let help = try await Program.run("inversion", ["help"]).output.split(whereSeparator: \.isWhitespace).map(
      String.init)
    for status in Self.statuses { #expect(help.contains("\(status)"), "\(status)") }
    let protocolPage = try String(contentsOfFile: "\(Self.project)/docs/protocol.md", encoding: .utf8)
    for code in InversionError.Code.allCases {
      let row = protocolPage.split(separator: "\n").first { $0.hasPrefix("| `\(code.rawValue)` ") }
      #expect(row?.contains(" | \(code.exitStatus) | ") == true, "\(code.rawValue)")
    }
  }

  @Test(arguments: commands)
  func helpFitsATerminal(command: String) async throws {
    let help = try await Program.run("inversion", ["help"] + command.split(separator: " ").map(String.init))
    #expect(help.status == 0 && help.output.contains("USAGE: inversion \(command)"), "\(help.output)")
    for line in help.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
  }

  @Test(arguments: [("inversion", "1"), ("inversiond", "8")])
  func theManualPageHasItsSections(program: String, section: String) async throws {
    let script = "\"$0\" --experimental-dump-help | python3 \"$1/Tools/manual.py\" \(section) \"$1/units/$2.footer\""
    let made = try await Program.run(
      "/bin/sh", ["-c", script, Program.path(program), Self.project, "\(program).\(section)"])
    #expect(made.status == 0, "\(made.errors)")
    let lines = made.output.split(separator: "\n").map(String.init)
    let sections = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES"]
    for section in sections + ["SEE ALSO"] { #expect(lines.contains(".Sh \(section)"), "\(section)") }
    let description = try #require(lines.firstIndex(of: ".Sh DESCRIPTION"))
    #expect(!lines[description + 1].hasPrefix(".Sh"), "a section without a word")
    let statuses = program == "inversion" ? Self.statuses : [64, 65, 66, 70, 73]
    for status in statuses { #expect(lines.contains(".It \(status)"), "\(status)") }
  }
}
