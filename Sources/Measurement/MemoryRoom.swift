import FoundationEssentials
import Glibc

/// How much memory this process may still take: the least of what the machine has and what its control groups allow.
public struct MemoryRoom: Equatable, Sendable {
  public let available: Int
  /// What sets the bound: `the machine`, or the group's limit.
  public let bound: String

  public init(available: Int, bound: String) {
    self.available = available
    self.bound = bound
  }

  /// - Parameter root: where /proc and /sys are; tests have their own.
  public static func now(root: String = "") -> MemoryRoom {
    var least = MemoryRoom(available: machine(root), bound: "the machine")
    for group in ControlGroup.ancestors(root: root) {
      guard let room = group.room, room < least.available else { continue }
      least = MemoryRoom(available: max(0, room), bound: "the memory limit of '\(group.path)'")
    }
    return least
  }

  /// MemAvailable; where /proc/meminfo is hidden (ProcSubset=pid), what is free.
  private static func machine(_ root: String) -> Int {
    for line in lines(root + "/proc/meminfo") where line.hasPrefix("MemAvailable:") {
      if let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) { return kibibytes << 10 }
    }
    return Int(sysconf(Int32(_SC_AVPHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// None where the file is hidden.
  static func lines(_ path: String) -> [Substring] {
    guard let data = FileManager.default.contents(atPath: path) else { return [] }
    return String(decoding: data, as: UTF8.self).split(separator: "\n")
  }
}

/// A control group with its memory limit, of either version of the interface.
private struct ControlGroup {
  let path: String
  /// Bytes that it may still take; nil without a limit.
  let room: Int?

  /// Of this process, from its own group up to the root.
  static func ancestors(root: String) -> [ControlGroup] {
    for line in MemoryRoom.lines(root + "/proc/self/cgroup") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      if parts[1].split(separator: ",").contains("memory") {
        return chain(String(parts[2])).map { path in
          ControlGroup(path: path, folder: "\(root)/sys/fs/cgroup/memory\(path)", legacy: true)
        }
      }
      if parts[0] == "0" {
        return chain(String(parts[2])).map { path in
          ControlGroup(path: path, folder: "\(root)/sys/fs/cgroup\(path)", legacy: false)
        }
      }
    }
    return []
  }

  /// `/a/b` -> `/a/b`, `/a`
  private static func chain(_ path: String) -> [String] {
    let parts = path.split(separator: "/")
    return parts.indices.reversed().map { "/" + parts[...$0].joined(separator: "/") }
  }

  private init(path: String, folder: String, legacy: Bool) {
    self.path = path
    func number(_ name: String) -> Int? { MemoryRoom.lines("\(folder)/\(name)").first.flatMap { Int($0) } }
    // Above `high` it would not be killed, but slowed down without end.
    let limit = (legacy ? ["memory.limit_in_bytes"] : ["memory.max", "memory.high"]).compactMap(number).min()
    let used = number(legacy ? "memory.usage_in_bytes" : "memory.current")
    // "max", or in the old version a number beyond all memory.
    guard let limit, let used, limit < 1 << 60 else {
      room = nil
      return
    }
    // Pages of files, the model's among them, give way before anything is killed.
    let prefix = legacy ? "total_" : ""
    var files = 0
    for line in MemoryRoom.lines("\(folder)/memory.stat") {
      let parts = line.split(separator: " ")
      guard parts.count == 2, [prefix + "inactive_file", prefix + "active_file"].contains(parts[0]) else { continue }
      files += Int(parts[1]) ?? 0
    }
    room = limit - used + files
  }
}
