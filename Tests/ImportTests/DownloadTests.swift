import Errors
import Formats
import Foundation
import Synchronization
import Testing

@testable import Import

/// Downloads from a server on this machine that breaks, forgets, moves and lies.
@Suite(.timeLimit(.minutes(15))) struct DownloadTests {
  private static let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
  private static let digest = sha256Hex(of: content)
  private static let tag = "\"1\""

  /// A folder that goes with its test.
  private final class Place {
    let path = NSTemporaryDirectory() + "inversion-download-\(UUID().uuidString)"
    deinit { try? FileManager.default.removeItem(atPath: path) }
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
  }

  private let place = Place()

  private func download(
    _ server: LoopbackServer, _ path: String = "model", sha256: String? = digest, bytes: Int? = content.count
  ) -> Download {
    let file = ModelManifest.File(path: "model", url: server.url(path), sha256: sha256, bytes: bytes)
    return Download(file: file, path: "\(place.path)/model", firstPause: 0.01)
  }

  private func expectComplete() throws {
    #expect(place.names == ["model"])
    #expect(FileManager.default.contents(atPath: "\(place.path)/model") == Data(Self.content))
  }

  private func error(of download: Download) async throws -> InversionError {
    try await #require(throws: InversionError.self) { _ = try await download.run { _ in } }
  }

  @Test func aWholeFile() async throws {
    let server = try LoopbackServer { .file(Self.content, tag: Self.tag, for: $0) }
    let last = Atomic<Int>(0)
    let digest = try await download(server).run { last.store($0, ordering: .relaxed) }
    try expectComplete()
    #expect(digest == Self.digest && last.load(ordering: .relaxed) == Self.content.count)
    _ = try await download(server).run { _ in }
    #expect(server.requests.count == 1, "a complete file is not got again")
  }

  @Test func goesOnWhereTheConnectionBroke() async throws {
    let server = try LoopbackServer { request in
      var response = LoopbackServer.Response.file(Self.content, tag: Self.tag, for: request)
      if request.rangeStart ?? 0 < 200_000 { response.cut = 90_000 }
      return response
    }
    _ = try await download(server).run { _ in }
    try expectComplete()
    #expect(server.requests.map(\.rangeStart) == [nil, 90_000, 180_000, 270_000])
    #expect(server.requests.dropFirst().allSatisfy { $0.headers["if-range"] == Self.tag })
  }

  @Test func goesOnInTheNextCall() async throws {
    let isUp = Atomic<Bool>(false)
    let server = try LoopbackServer { request in
      guard isUp.load(ordering: .relaxed) || request.rangeStart == nil else { return .init(status: 503) }
      var response = LoopbackServer.Response.file(Self.content, tag: Self.tag, for: request)
      if !isUp.load(ordering: .relaxed) { response.cut = 100_000 }
      return response
    }
    let error = try await error(of: download(server))
    #expect(error.code == .fileUnavailable && error.message.contains("503"))
    #expect(error.message.contains("100000 bytes are kept"), "\(error.message)")
    #expect(place.names == ["model.headers", "model.part"])
    isUp.store(true, ordering: .relaxed)
    _ = try await download(server).run { _ in }
    try expectComplete()
    #expect(server.requests.last?.rangeStart == 100_000)
  }

  /// A part of the old file and the rest of the new one would be neither.
  @Test func beginsAgainWhenTheFileHasChanged() async throws {
    let count = Atomic<Int>(0)
    let server = try LoopbackServer { request in
      guard count.add(1, ordering: .relaxed).oldValue == 0 else {
        return .file(Self.content, tag: "\"2\"", for: request)
      }
      var response = LoopbackServer.Response.file([UInt8](repeating: 9, count: 300_000), tag: Self.tag, for: request)
      response.cut = 5000
      return response
    }
    _ = try await download(server, sha256: nil).run { _ in }
    try expectComplete()
  }

  @Test func beginsAgainWhereTheServerHasNoRanges() async throws {
    let count = Atomic<Int>(0)
    let server = try LoopbackServer { _ in
      let isFirst = count.add(1, ordering: .relaxed).oldValue == 0
      return .init(body: Self.content, cut: isFirst ? 5000 : nil)
    }
    _ = try await download(server).run { _ in }
    try expectComplete()
  }

  @Test func followsARedirect() async throws {
    let server = try LoopbackServer { request in
      guard request.path == "/moved" else { return .init(status: 302, headers: ["Location": "/moved"]) }
      return .file(Self.content, tag: Self.tag, for: request)
    }
    _ = try await download(server).run { _ in }
    try expectComplete()
  }

  @Test func aRedirectToAFileIsNotFollowed() async throws {
    let server = try LoopbackServer { _ in .init(status: 302, headers: ["Location": "file:///etc/hostname"]) }
    let error = try await error(of: download(server))
    #expect(error.code == .fileUnavailable && !place.names.contains("model"))
  }

  @Test(arguments: [404, 403, 401])
  func aRefusalIsToldAtOnce(status: Int) async throws {
    let server = try LoopbackServer { _ in .init(status: status, body: Array("<html>".utf8)) }
    let error = try await error(of: download(server))
    #expect(error.code == .fileUnavailable && error.message.contains("'\(server.url("model"))'"))
    #expect(error.message.contains("answers \(status)"), "\(error.message)")
    #expect(server.requests.count == 1 && !place.names.contains("model"))
  }

  @Test func aServerThatIsNotThere() async throws {
    let file = ModelManifest.File(path: "model", url: "http://127.0.0.1:1/model", sha256: nil, bytes: nil)
    let error = try await error(of: Download(file: file, path: "\(place.path)/model", firstPause: 0.01))
    #expect(error.code == .fileUnavailable && error.message.contains("Failed to connect"), "\(error.message)")
  }

  @Test func anotherChecksumIsRefusedAndRemoved() async throws {
    let server = try LoopbackServer { .file(Self.content, tag: Self.tag, for: $0) }
    let wrong = String(repeating: "0", count: 64)
    let error = try await error(of: download(server, sha256: wrong))
    #expect(error.code == .badFile && error.message.contains(Self.digest) && error.message.contains(wrong))
    #expect(!place.names.contains("model") && !place.names.contains("model.part"))
  }

  @Test func anotherSizeIsRefused() async throws {
    let server = try LoopbackServer { .file(Self.content, tag: Self.tag, for: $0) }
    let error = try await error(of: download(server, sha256: nil, bytes: 10))
    #expect(error.code == .badFile && error.message.contains("300000 bytes"), "\(error.message)")
    #expect(!place.names.contains("model"))
  }

  /// A program that is killed cannot end its transfer: who waits for nobody's word any more ends by itself.
  @Test func aTransferEndsWithTheProgramThatWantsIt() async throws {
    let (began, signal) = AsyncStream.makeStream(of: Void.self)
    let end = DispatchSemaphore(value: 0)
    defer { end.signal() }
    let server = try LoopbackServer { _ in
      signal.yield()
      end.wait()
      return .init()
    }
    let life = Pipe()
    let process = curlProcess(["--disable", "--silent", "--url", server.url("model")], life: life)
    let (ended, status) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = { status.yield($0.terminationStatus) }
    try process.run()
    for await _ in began { break }
    #expect(process.isRunning)
    // As the kernel does it for a process that is gone.
    try life.fileHandleForWriting.close()
    for await status in ended {
      #expect(status == 128 + SIGKILL)
      break
    }
  }

  @Test func aDiskThatIsFullAndACertificateOfNobodyAreToldApart() {
    func reason(_ status: Int32) -> String { CurlEnded(status: status, httpStatus: 0, message: "curl: (1) No").reason }
    #expect(reason(23) == "No (is the disk full?)" && reason(60).contains("ca-certificates") && reason(7) == "No")
  }

  @Test func aCancelledDownloadKeepsWhatCame() async throws {
    let (began, signal) = AsyncStream.makeStream(of: Void.self)
    let server = try LoopbackServer { _ in
      signal.yield()
      // The rest never comes.
      return .init(body: Self.content, cut: 1000)
    }
    let download = download(server)
    let task = Task { try await download.run { _ in } }
    for await _ in began { break }
    task.cancel()
    let result = await task.result
    #expect(throws: (any Error).self) { try result.get() }
    #expect(!place.names.contains("model"))
  }
}
