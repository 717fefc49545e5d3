import Errors
import Files
import Glibc
import Models

/// What a configuration file says, and over it the flags; what both leave out is nil or has its default.
/// units/inversiond.toml explains each.
public struct ConfigurationFile: Sendable {
  /// Folders of models.
  public var models: [String] = []
  public var model: String?
  public var embeddings: String?
  public var cache: String?
  public var socket: String?
  public var socketMode: mode_t?
  public var threads: Int?
  /// Of models that are no packages.
  public var precision = LayerPrecision.int8
  public var memoryBudget = MemoryBudget.unlimited
  public var drain: Duration?
  public var idleExit: Duration?
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
        try take(ConfigurationEntry(name: name, value: entry.value, isFlag: false))
      } catch {
        throw ConfigurationFault(line: entry.line, reason: error.message)
      }
    }
  }

  /// Every setting, by its whole name.
  public static var names: [String] { takers.keys.sorted() }

  /// The flag of a setting: `limits.job_seconds` is `--job-seconds`.
  public static func flag(of name: String) -> String {
    let last = name.split(separator: ".").last ?? ""
    return "--" + last.replacing("_", with: "-")
  }

  /// A flag's value; nil leaves the file's.
  /// - Throws: `.invalidArgument` with the flag and what it may be.
  public mutating func set(_ name: String, _ text: String?) throws(InversionError) {
    if let text { try take(ConfigurationEntry(name: name, value: .string(text), isFlag: true)) }
  }

  public mutating func set(_ name: String, _ number: Int?) throws(InversionError) {
    if let number { try take(ConfigurationEntry(name: name, value: .integer(number), isFlag: true)) }
  }

  /// Of a flag that may be given several times; none leaves the file's.
  public mutating func set(_ name: String, _ texts: [String]) throws(InversionError) {
    guard !texts.isEmpty else { return }
    try take(ConfigurationEntry(name: name, value: .array(texts.map { .string($0) }), isFlag: true))
  }

  private mutating func take(_ entry: ConfigurationEntry) throws(InversionError) {
    guard let taker = Self.takers[entry.name] else {
      throw InversionError(.invalidArgument, "'\(entry.name)' is no setting; see inversiond(8)")
    }
    try taker(&self, entry)
  }

  private typealias Taker = @Sendable (inout ConfigurationFile, ConfigurationEntry) throws(InversionError) -> Void

  private static let day = 86400

  private static let takers: [String: Taker] = [
    "models": { file, entry throws(InversionError) in file.models = try entry.paths() },
    "model": { file, entry throws(InversionError) in file.model = try entry.text() },
    "embeddings": { file, entry throws(InversionError) in file.embeddings = try entry.path() },
    "cache": { file, entry throws(InversionError) in file.cache = try entry.path() },
    "socket": { file, entry throws(InversionError) in file.socket = try entry.path() },
    "socket_mode": { file, entry throws(InversionError) in file.socketMode = try entry.mode() },
    "threads": { file, entry throws(InversionError) in file.threads = try entry.integer(in: 1...1024) },
    "precision": { file, entry throws(InversionError) in file.precision = try entry.precision() },
    "memory_budget": { file, entry throws(InversionError) in file.memoryBudget = try entry.budget() },
    "drain_seconds": { file, entry throws(InversionError) in file.drain = try entry.seconds(in: 0...day) },
    "idle_exit_seconds": { file, entry throws(InversionError) in
      file.idleExit = try entry.seconds(in: 1...10_000_000)
    },
    "limits.waiting": { file, entry throws(InversionError) in
      file.limits.waiting = try entry.integer(in: 1...10_000)
    },
    "limits.waiting_per_user": { file, entry throws(InversionError) in
      file.limits.waitingPerUser = try entry.integer(in: 1...10_000)
    },
    "limits.pixel_steps": { file, entry throws(InversionError) in
      file.limits.pixelSteps = try entry.integer(in: 1...Int.max)
    },
    "limits.requests_per_minute": { file, entry throws(InversionError) in
      file.limits.requestsPerMinute = try entry.integer(in: 1...1_000_000)
    },
    "limits.job_seconds": { file, entry throws(InversionError) in
      file.limits.jobTime = try entry.seconds(in: 1...day)
    },
    "limits.keep_alive_seconds": { file, entry throws(InversionError) in
      file.limits.keepAlive = try entry.seconds(in: 0...10_000_000)
    },
    "access.generate": { file, entry throws(InversionError) in try entry.give(.generate, in: &file) },
    "access.manage": { file, entry throws(InversionError) in try entry.give(.manage, in: &file) },
    "access.admin": { file, entry throws(InversionError) in try entry.give(.admin, in: &file) },
  ]
}

/// A setting with what it may be.
private struct ConfigurationEntry {
  let name: String
  let value: TOMLEntry.Value
  /// Then paths may begin where the program was started.
  let isFlag: Bool

  private func fault(_ reason: String) -> InversionError {
    InversionError(.invalidArgument, "\(isFlag ? ConfigurationFile.flag(of: name) : "'\(name)'"): \(reason)")
  }

  func text() throws(InversionError) -> String {
    guard case .string(let text) = value, !text.isEmpty else {
      throw fault(isFlag ? "give a text that is not empty" : "give a text in quotes")
    }
    return text
  }

  func path() throws(InversionError) -> String { try whole(try text()) }

  func paths() throws(InversionError) -> [String] {
    let paths = try texts()
    for path in paths { _ = try whole(path) }
    return paths
  }

  private func whole(_ path: String) throws(InversionError) -> String {
    guard isFlag || path.hasPrefix("/") else { throw fault("'\(path)' is no whole path; begin it with '/'") }
    return path
  }

  func mode() throws(InversionError) -> mode_t {
    let text = try text()
    guard let mode = mode_t(text, radix: 8), mode <= 0o777 else {
      throw fault("'\(text)' is no octal number such as \(isFlag ? "0660" : "\"0660\"")")
    }
    return mode
  }

  func precision() throws(InversionError) -> LayerPrecision {
    let text = try text()
    guard let precision = LayerPrecision(rawValue: text) else {
      let known = LayerPrecision.allCases.map(\.rawValue).joined(separator: ", ")
      throw fault("'\(text)' is no precision; there are \(known)")
    }
    return precision
  }

  func budget() throws(InversionError) -> MemoryBudget {
    let text = try text()
    guard let budget = MemoryBudget(text: text) else { throw fault("'\(text)' is no size such as 300M or 2G") }
    return budget
  }

  func seconds(in range: ClosedRange<Int>) throws(InversionError) -> Duration { .seconds(try integer(in: range)) }

  func integer(in range: ClosedRange<Int>) throws(InversionError) -> Int {
    guard case .integer(let number) = value, range.contains(number) else {
      throw fault("give a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Gives the role to those whom the setting names.
  func give(_ role: Role, in file: inout ConfigurationFile) throws(InversionError) {
    let names = try texts()
    do throws(InversionError) { try file.access.set(role, names) } catch { throw fault(error.message) }
  }

  func texts() throws(InversionError) -> [String] {
    guard case .array(let values) = value else { throw fault("give an array of texts: [\"@group\", \"user\"]") }
    var texts: [String] = []
    for value in values {
      guard case .string(let text) = value, !text.isEmpty else {
        throw fault(isFlag ? "give texts that are not empty" : "give texts in quotes")
      }
      texts.append(text)
    }
    return texts
  }
}
