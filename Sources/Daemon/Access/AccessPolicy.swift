import Errors
import Glibc

/// What a user may do; each role includes those before it.
public enum Role: Int, Sendable, Comparable, CaseIterable {
  /// Nothing but whether the daemon lives.
  case none
  /// Ask for pictures, and see what is there.
  case generate
  /// Add, replace and remove words, and choose models.
  case manage
  /// Everything: end other users' jobs, reload.
  case admin

  public static func < (one: Role, other: Role) -> Bool { one.rawValue < other.rawValue }

  var name: String { "\(self)" }
}

/// The user at the other end of a connection, as the kernel knows it.
public struct Peer: Sendable, Equatable {
  public let user: UInt32
  public let group: UInt32

  public init(user: UInt32, group: UInt32) {
    self.user = user
    self.group = group
  }
}

/// Who may do what. Groups are looked up when the policy is made: at the start and with each reload.
public struct AccessPolicy: Sendable {
  /// Users or groups of a role.
  struct Members: Sendable, Equatable {
    var everybody = false
    var users: Set<UInt32> = []
    var groups: Set<UInt32> = []

    func contains(_ peer: Peer) -> Bool {
      everybody || users.contains(peer.user) || groups.contains(peer.group)
    }
  }

  private var members: [Role: Members]
  /// Of this process: always an administrator, as root is.
  private let own = geteuid()

  /// Whoever may open the socket may generate and manage.
  public init() {
    members = [.generate: Members(everybody: true), .manage: Members(everybody: true), .admin: Members()]
  }

  /// Gives a role to these names and no others.
  /// - Parameter names: of users; of groups with `@` before them; `*` is everybody.
  /// - Throws: `.invalidArgument` for a name that this machine does not know.
  mutating func set(_ role: Role, _ names: [String]) throws(InversionError) {
    var members = Members()
    for name in names {
      if name == "*" {
        members.everybody = true
      } else if name.hasPrefix("@") {
        try members.addGroup(String(name.dropFirst()))
      } else {
        members.users.insert(try Self.user(name))
      }
    }
    self.members[role] = members
  }

  /// The most that a peer may do. One without credentials may do nothing.
  public func role(of peer: Peer?) -> Role {
    guard let peer else { return .none }
    if peer.user == 0 || peer.user == own { return .admin }
    return Role.allCases.last { role in members[role]?.contains(peer) ?? false } ?? .none
  }

  private static func user(_ name: String) throws(InversionError) -> UInt32 {
    if let id = UInt32(name) { return id }
    guard let entry = getpwnam(name) else {
      throw InversionError(.invalidArgument, "no user '\(name)' on this machine; add it, or leave it out")
    }
    return entry.pointee.pw_uid
  }
}

extension AccessPolicy.Members {
  /// The group's number, and those of its members for whom it is not the first one.
  fileprivate mutating func addGroup(_ name: String) throws(InversionError) {
    guard let entry = getgrnam(name) else {
      throw InversionError(.invalidArgument, "no group '\(name)' on this machine; add it, or leave it out")
    }
    groups.insert(entry.pointee.gr_gid)
    var next = entry.pointee.gr_mem
    // `getpwnam` may overwrite what `getgrnam` has given: the names come first.
    var names: [String] = []
    while let member = next?.pointee {
      names.append(String(cString: member))
      next = next?.advanced(by: 1)
    }
    for name in names {
      if let entry = getpwnam(name) { users.insert(entry.pointee.pw_uid) }
    }
  }
}
