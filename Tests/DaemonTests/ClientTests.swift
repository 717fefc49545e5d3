import DaemonTestSupport
import Foundation
import Testing

/// The programs that people have for other image servers, unchanged, against a live socket (Tools/clients).
@Suite(.timeLimit(.minutes(15)), .serialized) struct ClientTests {
  private static let tools = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Tools/clients").path

  @Test(arguments: ["webui.py", "openai_images.py", "aiohttp_client.py", "metrics.py", "openapi_check.py"])
  func clientRunsUnchanged(script: String) async throws {
    var environment: [String: String] = [:]
    let variable = "INVERSION_CLIENTS_PYTHON"
    if let python = ProcessInfo.processInfo.environment[variable] { environment[variable] = python }
    let prepared = try await Program.run("/bin/bash", ["\(Self.tools)/environment.sh"], environment: environment)
    if prepared.status == 77 { try Test.cancel("\(prepared.errors)") }
    #expect(prepared.status == 0, "\(prepared.errors)")
    let python = prepared.output.trimmingCharacters(in: .whitespacesAndNewlines)

    // Large pictures would only take time.
    let daemon = try LiveDaemon { $0.limits.pixelSteps = 1 << 17 }
    _ = try await daemon.client.addEmbedding(embeddingFile(1, name: "<my-cat>"), as: "my-cat")
    let ended = try await Program.run(
      python, ["\(Self.tools)/\(script)"], environment: ["SOCKET": daemon.socketPath, "FOLDER": daemon.folder.path])
    #expect(ended.status == 0, "\(ended.errors)")
    #expect(ended.output.hasSuffix(": done\n"))
  }
}
