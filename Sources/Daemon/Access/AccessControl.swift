import Errors
import Synchronization

/// The policy in force; a reload replaces it.
final class AccessControl: Sendable {
  private let state: Mutex<AccessPolicy>

  init(_ policy: AccessPolicy) { state = Mutex(policy) }

  var policy: AccessPolicy {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }

  /// - Throws: `.notAllowed` with the user and the role.
  func require(_ role: Role, of peer: Peer?) throws(InversionError) {
    guard policy.role(of: peer) < role else { return }
    let user = peer.map { "user \($0.user)" } ?? "a client without a user"
    throw InversionError(.notAllowed, "\(user) has not the role '\(role.name)'; ask whoever runs the daemon")
  }
}
