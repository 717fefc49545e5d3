import Errors
import Files
import Formats
import Foundation

/// Gets one file over HTTP(S): goes on where an earlier try stopped, and gives it its name only when it is complete and
/// has the right checksum.
///
/// The transfer itself is done by the program `curl`, which has the system's certificates, proxies and security
/// updates.
struct Download {
  let file: ModelManifest.File
  /// The complete file's.
  let path: String
  /// Seconds before the first of the retries; doubled for each.
  var firstPause = 1.0

  private var partial: String { "\(path).part" }
  /// What the server said, for telling on the next try whether it is the same file.
  private var headers: String { "\(path).headers" }

  /// Tries without a byte of progress before giving up.
  private static let idleTries = 4

  /// - Parameter progress: told now and then how many bytes are there.
  /// - Returns: the file's SHA-256.
  /// - Throws: `fileUnavailable` when the server does not give it, what came before stays for the next try; `badFile`
  ///   for another checksum or size, nothing stays then.
  func run(progress: @escaping @Sendable (Int) -> Void) async throws -> String {
    if FileManager.default.fileExists(atPath: path) { return try check(path) }
    try makeFolder(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    try await fetch(progress)
    let digest = try check(partial)
    try sync(partial)
    guard rename(partial, path) == 0 else { throw fileError(path, "cannot be made") }
    try? FileManager.default.removeItem(atPath: headers)
    return digest
  }

  /// Bytes that are there.
  private var received: Int { (try? fileSize(path: partial)) ?? 0 }

  private func fetch(_ progress: @escaping @Sendable (Int) -> Void) async throws {
    var (idle, pause) = (0, firstPause)
    while file.bytes.map({ received < $0 }) ?? true {
      let before = received
      let ended = try await curl(progress)
      switch ended.outcome {
      case .done: return
      case .cannotResume:
        // No ranges, or another file than that of which a part is here.
        guard before > 0 else { throw refusal(ended) }
        try? FileManager.default.removeItem(atPath: partial)
        idle += 1
      case .broken:
        idle = received > before ? 0 : idle + 1
        guard idle < Self.idleTries else { throw refusal(ended) }
        try await Task.sleep(for: .seconds(pause))
        pause = idle == 0 ? firstPause : pause * 2
      case .refused: throw refusal(ended)
      }
    }
  }

  private func curl(_ progress: @escaping @Sendable (Int) -> Void) async throws -> CurlEnded {
    var arguments = [
      "--disable", "--silent", "--show-error", "--fail", "--location", "--max-redirs", "10", "--proto", "=https,http",
      // From a safe connection never to an unsafe one.
      "--proto-redir", file.url.hasPrefix("https:") ? "=https" : "=https,http", "--connect-timeout", "30",
      // A connection over which nothing comes is broken.
      "--speed-limit", "1", "--speed-time", "60", "--write-out", "%{http_code}",
    ]
    if received > 0 {
      arguments += ["--continue-at", "-"]
      if let tag = entityTag { arguments += ["--header", "If-Range: \(tag)"] }
    }
    arguments += ["--dump-header", headers, "--output", partial, "--url", file.url]
    let partial = partial
    return try await runCurl(arguments) { progress((try? fileSize(path: partial)) ?? 0) }
  }

  /// The strong entity tag of the last response's headers: names exactly these bytes.
  private var entityTag: String? {
    guard let text = try? String(contentsOfFile: headers, encoding: .isoLatin1) else { return nil }
    let lines = text.split(whereSeparator: \.isNewline)
    let tag = lines.last { $0.lowercased().hasPrefix("etag:") }?.dropFirst("etag:".count)
    let value = tag?.trimmingCharacters(in: .whitespaces)
    return value.flatMap { $0.hasPrefix("\"") && $0.count < 200 ? $0 : nil }
  }

  /// Compares size and checksum; removes a file that has another.
  private func check(_ path: String) throws -> String {
    let size = try fileSize(path: path)
    let digest = try sha256Hex(ofFile: path)
    let problem: String? =
      if let bytes = file.bytes, size != bytes {
        "\(size) bytes came, the manifest says \(bytes)"
      } else if let expected = file.sha256, digest != expected {
        "sha256 \(digest), the manifest says \(expected)"
      } else {
        nil
      }
    guard let problem else { return digest }
    try? FileManager.default.removeItem(atPath: path)
    throw InversionError(.badFile, "'\(file.url)': \(problem); the file was removed, pull again or ask its publisher")
  }

  private func sync(_ path: String) throws {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { throw fileError(path, "cannot be opened") }
    defer { close(fd) }
    guard fsync(fd) == 0 else { throw fileError(path, "cannot be written to disk") }
  }

  private func refusal(_ ended: CurlEnded) -> InversionError {
    let kept = received > 0 ? "; \(received) bytes are kept, pull again to go on" : "; check the URL and the network"
    return InversionError(.fileUnavailable, "'\(file.url)': \(ended.reason)\(kept)")
  }
}
