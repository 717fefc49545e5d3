import Client
import DaemonTestSupport
import Errors
import Foundation
import Measurement
import Testing
import Wire

@testable import Daemon

/// Memory that there is, and what is done when there is not enough.
@Suite(.timeLimit(.minutes(15))) struct MemoryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func put(_ files: [String: String]) throws {
    for (path, text) in files {
      let url = URL(filePath: folder.path + path)
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: url, atomically: false, encoding: .utf8)
    }
  }

  @Test func theMachinesMemory() throws {
    try put(["/proc/meminfo": "MemTotal:  100 kB\nMemAvailable:   50 kB\n"])
    #expect(MemoryRoom.now(root: folder.path) == MemoryRoom(available: 50 << 10, bound: "the machine"))
    #expect(MemoryRoom.now().available > 1 << 20)
  }

  @Test func theTightestGroupDecides() throws {
    try put([
      "/proc/meminfo": "MemAvailable: 5000 kB\n", "/proc/self/cgroup": "0::/a/b\n",
      "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/b/memory.current": "1\n",
      "/sys/fs/cgroup/a/memory.max": "3000\n", "/sys/fs/cgroup/a/memory.current": "2500\n",
      "/sys/fs/cgroup/a/memory.stat": "anon 5\ninactive_file 400\nactive_file 70\nactive_anon 9\n",
    ])
    #expect(MemoryRoom.now(root: folder.path) == MemoryRoom(available: 970, bound: "the memory limit of '/a'"))
  }

  @Test func aGroupThatWouldBeSlowedDown() throws {
    try put([
      "/proc/meminfo": "MemAvailable: 5000 kB\n", "/proc/self/cgroup": "0::/a\n",
      "/sys/fs/cgroup/a/memory.max": "3000\n", "/sys/fs/cgroup/a/memory.high": "2000\n",
      "/sys/fs/cgroup/a/memory.current": "500\n",
    ])
    #expect(MemoryRoom.now(root: folder.path) == MemoryRoom(available: 1500, bound: "the memory limit of '/a'"))
  }

  @Test func theOldInterface() throws {
    try put([
      "/proc/meminfo": "MemAvailable: 5000 kB\n", "/proc/self/cgroup": "3:cpu:/\n2:memory:/s\n1:name=x:/\n0::/other\n",
      "/sys/fs/cgroup/memory/s/memory.limit_in_bytes": "1000\n",
      "/sys/fs/cgroup/memory/s/memory.usage_in_bytes": "1500\n",
      "/sys/fs/cgroup/memory/s/memory.stat":
        "inactive_file 1\nactive_file 1\ntotal_inactive_file 100\ntotal_active_file 200\n",
    ])
    #expect(MemoryRoom.now(root: folder.path) == MemoryRoom(available: 0, bound: "the memory limit of '/s'"))
  }

  @Test func aRequestThatDoesNotFitIsRefusedWithTheFigures() async throws {
    let daemon = try LiveDaemon(FastMaker(memory: 1 << 50))
    let error = await #expect(throws: InversionError.self) {
      try await daemon.client.generate(GenerateRequest(prompt: "x"))
    }
    #expect(error?.code == .busy)
    #expect(error?.message.contains("takes about \(1 << 30) MiB, and the m") == true, "\(error?.message ?? "")")
  }

  @Test func bodiesShareTheirMemory() throws {
    let memory = BodyMemory(limit: 10)
    var first: BodyMemory.Share? = memory.share()
    try first?.take(8)
    #expect(throws: InversionError.self) { try memory.share().take(3) }
    try memory.share().take(2)
    first = nil
    try memory.share().take(10)
  }
}
