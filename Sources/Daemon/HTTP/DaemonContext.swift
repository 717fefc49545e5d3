import CSystemd
import Glibc
import Hummingbird
import Logging
import NIOCore

/// What a route knows of its request besides the request itself.
struct DaemonContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The client's connection.
  let channel: any Channel
  /// What its body may take of all bodies' memory.
  var bodies: BodyMemory.Share?

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }

  /// Of JSON bodies.
  var maxUploadSize: Int { 1 << 20 }

  /// The client, as the kernel knows it; nil when the socket is none of Unix's.
  func peer() async -> Peer? {
    guard let socket = channel as? any SocketOptionProvider else { return nil }
    let option = NIOBSDSocket.Option(rawValue: SO_PEERCRED)
    let credentials: csystemd_peer? = try? await socket.unsafeGetSocketOption(level: .socket, name: option).get()
    return credentials.map { Peer(user: $0.uid, group: $0.gid) }
  }

  /// Whose jobs these are.
  func owner() async -> UInt32 { await peer()?.user ?? 0 }
}
