import ArgumentParser
import Errors
import Foundation
import Import
import Kernels
import Measurement
import Models
import Wire

struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look for what keeps pictures from being made, and say what to do about it.",
    discussion: "Exit status: 0 when all is well, else that of the first thing that is not.")

  @OptionGroup var socket: SocketOption
  @OptionGroup var model: ModelOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    let findings = [processor(), memory(), socketFile(), modelFile()] + (await daemon())
    try listing.show(findings, rows: findings.map { [$0.isWell ? "ok" : "FAULT", $0.subject, $0.detail] })
    if let fault = findings.compactMap(\.code).first { throw ExitCode(fault.exitStatus) }
  }

  private func processor() -> Finding {
    let others = InstructionSet.available.map(\.description).joined(separator: ", ")
    return Finding("processor", "\(activeInstructionSet) is used, of \(others); \(Parallel.threads) threads")
  }

  private func memory() -> Finding {
    let room = MemoryRoom.now()
    return Finding("memory", "\(room.available >> 20) MiB left by \(room.bound)")
  }

  private func socketFile() -> Finding {
    let path = socket.client.socketPath
    var status = stat()
    guard lstat(path, &status) == 0 else {
      return Finding("socket", InversionError(.daemonUnavailable, "'\(path)': \(String(cString: strerror(errno)))"))
    }
    let mode = String(status.st_mode & 0o777, radix: 8)
    let group = getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(status.st_gid)"
    guard access(path, R_OK | W_OK) == 0 else {
      let advice = "join the group '\(group)' (usermod -aG \(group) USER, then log in again)"
      return Finding("socket", InversionError(.daemonUnavailable, "'\(path)' (\(mode)): not for this user; \(advice)"))
    }
    return Finding("socket", "'\(path)', mode \(mode), group '\(group)'")
  }

  private func modelFile() -> Finding {
    do {
      let path = try model.folder()
      let size = try DiffusionModel(path: path, parts: [.encoder, .decoder]).nativeSize
      guard FileManager.default.fileExists(atPath: "\(path)/\(PackageDescription.fileName)") else {
        return Finding("model", "'\(path)': whole; \(size) pixels")
      }
      // A package knows its files' checksums.
      let url = URL(fileURLWithPath: path)
      let library = ModelLibrary(ModelsFolder(path: url.deletingLastPathComponent().path))
      if let damaged = try library.verify(url.lastPathComponent).first(where: { $0.problem != nil }) {
        throw InversionError(
          .badFile, "'\(path)/\(damaged.file)': \(damaged.problem ?? ""); remove the model and import it again")
      }
      return Finding("model", "'\(path)': whole by its checksums; \(size) pixels")
    } catch {
      return Finding("model", error)
    }
  }

  private func daemon() async -> [Finding] {
    do {
      let status = try await socket.client.status()
      let room = "\(status.room.availableBytes >> 20) MiB left by \(status.room.bound)"
      var findings = [
        Finding("daemon", "pid \(status.pid), version \(status.version), serves \(status.model.name)"),
        Finding("its memory", "\(status.residentBytes >> 20) MiB; \(room)"),
        Finding("access", "user \(status.you.uid) has the role '\(status.you.role)'"),
      ]
      if status.version != projectVersion {
        findings[0] = Finding(
          "daemon",
          InversionError(
            .daemonUnavailable, "it is of version \(status.version), this is \(projectVersion); restart the service"))
      }
      let embeddings = try await socket.client.embeddings()
      findings += embeddings.rejected.map { file in
        Finding("word", InversionError(.badEmbedding, "'\(file.file)' is not in force: \(file.reason)"))
      }
      return findings
    } catch {
      return [Finding("daemon", error)]
    }
  }
}

/// One thing that was looked at.
private struct Finding: Encodable {
  let subject: String
  let detail: String
  let isWell: Bool
  let code: InversionError.Code?

  private enum CodingKeys: String, CodingKey {
    case subject, detail
    case isWell = "is_well"
  }

  init(_ subject: String, _ detail: String) {
    (self.subject, self.detail, isWell, code) = (subject, detail, true, nil)
  }

  init(_ subject: String, _ error: any Error) {
    (self.subject, detail, isWell) = (subject, "\(error)", false)
    code = (error as? InversionError)?.code ?? .internal
  }
}
