import DaemonTestSupport
import Foundation
import Testing

private let tiny =
  URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/ModelsTests/Golden/sd1-tiny"

/// `inversion bench`, and training in int8 within a budget, as a user runs them.
@Suite(.timeLimit(.minutes(15))) struct BenchCommandTests {
  private func run(_ arguments: String...) async throws -> Program.Ended {
    try await Program.run("inversion", arguments)
  }

  @Test func tellsTimesAndWhatLimitsThem() async throws {
    let json = try await run("bench", "--model", tiny, "--threads", "1", "--format", "json")
    #expect(json.status == 0, "\(json.errors)")
    let report = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    func number(_ key: String) throws -> Double { try #require(report[key] as? Double, "\(key)") }
    #expect(try number("stepSeconds") > 0 && number("decodingSeconds") > 0 && number("int8OperationsPerSecond") > 1e6)
    let picture = try number("textSeconds") + 20 * number("stepSeconds") + number("decodingSeconds")
    #expect(abs(try number("pictureSeconds") - picture) < 1e-9)
    #expect(try number("arithmeticShare") > 0 && number("threads") == 1)
    #expect((0...1).contains(try number("otherWorkShare")))
    let table = try await run("bench", "--model", tiny, "--steps", "3", "--precision", "f32")
    #expect(table.output.contains("a picture of 3 steps") && table.output.contains("nothing is in int8"))
  }

  @Test(arguments: [
    (["--size", "7"], "--size '7'"), (["--size", "999999"], "up to 2048"), (["--steps", "0"], "--steps must be 1"),
    (["--memory-budget", "lots"], "--memory-budget 'lots'"), (["--threads", "0"], "--threads 1 to 1024"),
  ])
  func refusesWhatCannotBe(flags: [String], message: String) async throws {
    let refused = try await Program.run("inversion", ["bench", "--model", tiny] + flags)
    #expect(refused.status == 64 && refused.errors.contains(message), "\(refused.errors)")
    #expect(refused.output.isEmpty && refused.errors.split(separator: "\n").count == 1)
  }
}
