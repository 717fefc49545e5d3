import DaemonTestSupport
import Errors
import Foundation
import Images
import Testing

/// docs/protocol.md is what clients are written from: its examples are run as they stand, and its lists are complete.
@Suite(.timeLimit(.minutes(15))) struct ProtocolPageTests {
  private let page: String

  init() throws {
    let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    page = try String(contentsOf: top.appending(path: "docs/protocol.md"), encoding: .utf8)
  }

  /// The shell examples, each with the heading above it.
  private var examples: [(heading: String, command: String)] {
    var heading = ""
    var command: [Substring]?
    var examples: [(String, String)] = []
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("### ") { heading = String(line.dropFirst(4)) }
      if line == "```sh" {
        command = []
      } else if line == "```", let lines = command {
        examples.append((heading, lines.joined(separator: "\n")))
        command = nil
      } else {
        command?.append(line)
      }
    }
    return examples
  }

  /// What the answer to each example must be: its HTTP status and the fields of its JSON object.
  private static let expected: [String: (status: Int, fields: Set<String>)] = {
    let embedding: Set = [
      "name", "alias", "aliases", "file", "kind", "vectors", "width", "norm", "sha256", "generation", "metadata",
      "notes",
    ]
    let openAI: Set = [
      "created", "data", "background", "quality", "output_format", "size", "usage", "seed", "embeddings",
    ]
    return [
      "POST /v1/generate": (200, ["job", "model", "seed", "pictures", "embeddings", "timings"]),
      "POST /v1/cancel/{job}": (404, ["error"]),
      "PUT /v1/embeddings/{name}": (200, embedding),
      "GET /v1/embeddings": (200, ["generation", "embeddings", "rejected"]),
      "GET /v1/embeddings/{name}": (200, embedding),
      "POST /v1/embeddings/rescan": (200, ["generation", "embeddings", "rejected"]),
      "DELETE /v1/embeddings/{name}": (200, ["removed", "generation"]),
      "Pictures from pictures": (200, ["job", "model", "seed", "pictures", "embeddings", "timings"]),
      "GET /v1/models": (200, ["models", "object", "data"]),
      "POST /v1/images/generations": (200, openAI),
      "POST /v1/images/edits": (200, openAI),
      "POST /sdapi/v1/txt2img": (200, ["images", "parameters", "info"]),
      "POST /sdapi/v1/img2img": (200, ["images", "parameters", "info"]),
      "GET /sdapi/v1/progress": (200, ["progress", "eta_relative", "state", "current_image", "textinfo"]),
      "POST /sdapi/v1/png-info": (200, ["info", "items", "parameters"]),
      "GET /v1/status": (
        200, ["pid", "version", "uptime_s", "model", "embeddings", "queue", "resident_bytes", "room", "you"]
      ),
      "GET /v1/ps": (200, ["models"]),
      "POST /v1/reload": (200, ["generation"]),
      "GET /openapi.json": (200, ["openapi", "info", "paths"]),
      "GET /healthz": (200, ["status"]),
    ]
  }()

  @Test func everyExampleWorksAsItStands() async throws {
    let daemon = try LiveDaemon()
    try Data(embeddingFile(1, name: "<my-cat>")).write(to: URL(filePath: daemon.folder.path + "/cat.safetensors"))
    var seen: Set<String> = []
    let photo = Picture(width: 8, height: 8, pixels: [UInt8](repeating: 77, count: 8 * 8 * 3))
    try Data(photo.encoded(as: .png)).write(to: URL(filePath: daemon.folder.path + "/photo.png"))
    for (heading, command) in examples where !["Events", "GET /metrics"].contains(heading) {
      // Only the status is added; -s keeps curl's own progress away.
      let script = "cd \(daemon.folder.path); curl() { command curl -s -w '\\n%{http_code}' \"$@\"; }\n\(command)"
      let ended = try await Program.run("/bin/bash", ["-c", script], environment: ["SOCKET": daemon.socketPath])
      #expect(ended.status == 0, "\(heading): \(ended.errors)")
      let lines = ended.output.split(separator: "\n")
      let expected = try #require(Self.expected[heading], "no expectation for '\(heading)'")
      #expect(lines.last.flatMap { Int($0) } == expected.status, "\(heading): \(ended.output.prefix(300))")
      let object = try JSONSerialization.jsonObject(with: Data(lines.dropLast().joined().utf8)) as? [String: Any]
      #expect(Set(object?.keys.map { $0 } ?? []) == expected.fields, "\(heading)")
      seen.insert(heading)
    }
    #expect(seen == Set(Self.expected.keys), "an example for every route")
  }

  @Test func theExampleOfEventsWorks() async throws {
    let daemon = try LiveDaemon()
    let command = try #require(examples.first { $0.heading == "Events" }).command
    let ended = try await Program.run("/bin/bash", ["-c", command], environment: ["SOCKET": daemon.socketPath])
    let names = ended.output.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { $0.dropFirst(7) }
    #expect(names == ["queued", "started", "progress", "progress", "progress", "result"])
    for name in Set(names) { #expect(page.contains("| `\(name)` |")) }
  }

  @Test func everyErrorIsListedWithItsExitStatus() {
    for code in InversionError.Code.allCases {
      let row = page.split(separator: "\n").first { $0.hasPrefix("| `\(code.rawValue)` |") }
      #expect(
        row?.split(separator: "|").dropFirst(2).first?.trimmingCharacters(in: .whitespaces) == "\(code.exitStatus)")
    }
  }
}
