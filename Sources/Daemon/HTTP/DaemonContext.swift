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
  /// The client, as the kernel knows it; nil when the socket is none of Unix's.
  var peer: Peer?

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }

  /// Of JSON bodies.
  var maxUploadSize: Int { 1 << 20 }

  /// Whose jobs these are.
  var owner: UInt32 { peer?.user ?? 0 }
}
