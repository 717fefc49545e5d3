import Foundation
import Measurement
import Testing

@Suite struct OtherWorkTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "stat-\(UUID().uuidString)").path

  private func write(_ text: String) throws {
    try FileManager.default.createDirectory(atPath: folder + "/proc", withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: folder + "/proc/stat"))
  }

  /// Large numbers, so that this process' own few ticks do not show.
  @Test func countsWhatIsNeitherIdleNorOwn() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try write("cpu  10 20 30 1000 40 5 6 7 999 999\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    let work = OtherWork(root: folder)
    #expect(work.share() == nil, "no tick has passed")
    // 1,000,000 more in use, 250,000 stolen by the host, 750,000 idle, 2,000,000 waiting.
    try write("cpu  1000010 20 30 751000 2000040 5 6 250007 0 0\n")
    #expect(abs(try #require(work.share()) - 1.25 / 4) < 0.01)
  }

  @Test(arguments: ["", "cpu 1 2 3\n", "cpu a b c d e f g h\n", "cpu -1 0 0 0 0 0 0 9\n", "intr 1 2 3 4 5 6 7 8\n"])
  func tellsNothingOfAFileThatItCannotRead(text: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try write(text)
    #expect(OtherWork(root: folder).share() == nil)
  }

  /// The real file: never more than all of it.
  @Test func staysWithinTheMachine() throws {
    let work = OtherWork()
    let end = ContinuousClock.now + .milliseconds(50)
    while ContinuousClock.now < end {}
    #expect((0...1).contains(try #require(work.share())))
  }
}
