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

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }

  /// Of JSON bodies.
  var maxUploadSize: Int { 1 << 20 }

  /// The client's user, as the kernel knows it; nil when the socket is none of Unix's.
  func peerUser() async -> UInt32? {
    guard let socket = channel as? any SocketOptionProvider else { return nil }
    let option = NIOBSDSocket.Option(rawValue: SO_PEERCRED)
    let credentials: csystemd_peer? = try? await socket.unsafeGetSocketOption(level: .socket, name: option).get()
    return credentials?.uid
  }
}
