import Errors
import Files
import Glibc

/// What a configuration file says; what it leaves out is nil or has its default. units/inversiond.toml explains each.
public struct ConfigurationFile: Sendable {
  /// Folders of models.
  public var models: [String] = []
  public var model: String?
  public var embeddings: String?
  public var socket: String?
  public var socketMode: mode_t?
  public var threads: Int?
  public var drain: Duration?
  public var limits = GenerationService.Limits()
  public var access = AccessPolicy()

  public init() {}

  private static let sizeLimit = 1 << 20

  /// - Throws: `.fileUnavailable`; `.invalidArgument` with the file, the line, the key and what it may be.
  public init(path: String) throws {
    let bytes = try readFile(path: path, limit: Self.sizeLimit)
    do {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw ConfigurationFault(line: 1, reason: "the file is not UTF-8")
      }
      try self.init(text: text)
    } catch let fault as ConfigurationFault {
      throw InversionError(.invalidArgument, "'\(path)':\(fault.line): \(fault.reason)")
    }
  }

  init(text: String) throws(ConfigurationFault) {
    for (name, entry) in try TOMLReader(text).entries.sorted(by: { $0.value.line < $1.value.line }) {
      do throws(InversionError) {
        try take(ConfigurationEntry(name: name, value: entry.value))
      } catch {
        throw ConfigurationFault(line: entry.line, reason: error.message)
      }
    }
  }

  private mutating func take(_ entry: ConfigurationEntry) throws(InversionError) {
    switch entry.name {
    case "models": models = try entry.paths()
    case "model": model = try entry.text()
    case "embeddings": embeddings = try entry.path()
    case "socket": socket = try entry.path()
    case "socket_mode": socketMode = try entry.mode()
    case "threads": threads = try entry.integer(in: 1...1024)
    case "drain_seconds": drain = .seconds(try entry.integer(in: 0...86400))
    case "limits.waiting": limits.waiting = try entry.integer(in: 1...10_000)
    case "limits.waiting_per_user": limits.waitingPerUser = try entry.integer(in: 1...10_000)
    case "limits.pixel_steps": limits.pixelSteps = try entry.integer(in: 1...Int.max)
    case "limits.requests_per_minute": limits.requestsPerMinute = try entry.integer(in: 1...1_000_000)
    case "limits.job_seconds": limits.jobTime = .seconds(try entry.integer(in: 1...86400))
    case "limits.keep_alive_seconds": limits.keepAlive = .seconds(try entry.integer(in: 0...10_000_000))
    case "access.generate": try access.set(.generate, try entry.texts())
    case "access.manage": try access.set(.manage, try entry.texts())
    case "access.admin": try access.set(.admin, try entry.texts())
    default: throw InversionError(.invalidArgument, "'\(entry.name)' is no setting; see inversiond(8)")
    }
  }
}

/// A setting with what it may be.
private struct ConfigurationEntry {
  let name: String
  let value: TOMLEntry.Value

  private func fault(_ reason: String) -> InversionError { InversionError(.invalidArgument, "'\(name)': \(reason)") }

  func text() throws(InversionError) -> String {
    guard case .string(let text) = value, !text.isEmpty else { throw fault("give a text in quotes") }
    return text
  }

  func path() throws(InversionError) -> String {
    let path = try text()
    guard path.hasPrefix("/") else { throw fault("'\(path)' is no whole path; begin it with '/'") }
    return path
  }

  func paths() throws(InversionError) -> [String] {
    let paths = try texts()
    if let path = paths.first(where: { !$0.hasPrefix("/") }) {
      throw fault("'\(path)' is no whole path; begin it with '/'")
    }
    return paths
  }

  func mode() throws(InversionError) -> mode_t {
    guard let mode = mode_t(try text(), radix: 8), mode <= 0o777 else { throw fault("give a text such as \"0660\"") }
    return mode
  }

  func integer(in range: ClosedRange<Int>) throws(InversionError) -> Int {
    guard case .integer(let number) = value, range.contains(number) else {
      throw fault("give a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func texts() throws(InversionError) -> [String] {
    guard case .array(let values) = value else { throw fault("give an array of texts: [\"@group\", \"user\"]") }
    var texts: [String] = []
    for value in values {
      guard case .string(let text) = value, !text.isEmpty else { throw fault("give texts in quotes") }
      texts.append(text)
    }
    return texts
  }
}
