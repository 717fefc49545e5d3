import DaemonTestSupport
import Foundation
import Testing

/// The units and the Debian package under a real service manager, on a view of this machine (Tools/check/systemd.sh).
@Suite(.timeLimit(.minutes(15))) struct ServiceManagerTests {
  @Test func thePackageLivesThroughWhatAServiceLivesThrough() async throws {
    let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let programs = URL(filePath: Program.path("inversiond")).deletingLastPathComponent().path
    let ended = try await Program.run(
      "/bin/bash", [top.appending(path: "Tools/check/systemd.sh").path], environment: ["INVERSION_BUILD": programs])
    if ended.status == 77 { try Test.cancel("\(ended.errors)") }
    #expect(ended.status == 0, "\(ended.output)\n\(ended.errors)")
    #expect(ended.output.hasSuffix("systemd: all in order\n"))
  }
}
