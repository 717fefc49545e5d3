import CSystemd
import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Serves HTTP/1.1 on a listening descriptor, which may come from a service manager.
///
/// Hummingbird's own `Application` only binds addresses; its channel and router are used without it.
final class HTTPServer: Sendable {
  /// Limits on what clients may take.
  struct Limits: Sendable {
    var headerFieldBytes = 8 << 10
    var headerBytes = 32 << 10
    var headerFields = 100
    var connections = 128
    /// Of the bodies of all requests together.
    var bodyBytes = 256 << 20
    /// A client that takes nothing of its answer for this time is hung up on.
    var readPatience = TimeAmount.seconds(60)
    /// A connection without a request, or with half of one, is closed after this time.
    var idleTimeout = TimeAmount.seconds(60)
  }

  private let listener: NIOAsyncChannel<Connection, Never>
  private let child: HTTP1Channel
  private let limits: Limits
  private let logger: Logger
  private let connections = Connections()

  /// Takes the descriptor over and starts to accept.
  init(
    descriptor: CInt, responder: some HTTPResponder<DaemonContext>, limits: Limits, group: any EventLoopGroup,
    metrics: Metrics, logger: Logger
  ) async throws {
    let log = AccessLog(logger: logger, metrics: metrics)
    let bodies = BodyMemory(limit: limits.bodyBytes)
    let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
      maxHeaderFieldSize: limits.headerFieldBytes, maxHeaderListSize: limits.headerBytes,
      maxHeaderFieldCount: limits.headerFields)
    let child = HTTP1Channel(
      responder: { [connections] request, writer, channel in
        var context = DaemonContext(source: ApplicationRequestContextSource(channel: channel, logger: log.logger))
        context.bodies = bodies.share()
        context.peer = connections.peer(of: channel)
        try await respond(with: responder, to: request, writer: writer, context: context, log: log)
      },
      configuration: HTTP1Channel.Configuration(
        additionalChannelHandlers: [
          SlowReaderHandler(patience: limits.readPatience), DrainHandler(), ProtocolErrorHandler(),
        ], idleTimeout: limits.idleTimeout,
        httpDecoderConfiguration: decoder))
    self.child = child
    self.limits = limits
    self.logger = logger
    self.listener = try await ServerBootstrap(group: group)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .bind(descriptor) { [connections] channel in
        // Now, because a client that has left is nobody any more when its request's turn comes.
        Peer.read(channel).flatMap { peer in
          connections.add(channel, peer)
          let connection = child.setup(channel: channel, logger: logger).map { Connection($0) }
          // Of one that has closed meanwhile: nobody serves it.
          connection.whenFailure { _ in connections.forget(channel) }
          return connection
        }
      }
  }

  /// Serves until `stopAccepting` and until the last connection has ended.
  func run() async {
    do {
      try await listener.executeThenClose { inbound in
        await withTaskGroup(of: Void.self) { group in
          var live = 0
          do {
            for try await connection in inbound {
              // Clients beyond the limit wait in the kernel's queue.
              if live >= limits.connections, await group.next() != nil { live -= 1 }
              live += 1
              group.addTask {
                let value = connection.take()
                await self.child.handle(value: value, logger: self.logger)
                self.connections.forget(value.channel)
              }
            }
          } catch {
            logger.error("accepting connections failed: \(error)")
          }
        }
      }
    } catch {
      logger.error("closing the socket failed: \(error)")
    }
  }

  /// Connections that are open now, and how many there have been.
  var load: (open: Int, accepted: Int) { connections.load }

  /// Accepts no more connections; those in the kernel's queue are the next process's. Of the open ones, the idle are
  /// closed now, and the others after the answer that they wait for or, having just come, will ask for.
  func stopAccepting() async {
    let channel = listener.channel
    // An accepted connection is set up in a task of the loop, and a listener that is closed meanwhile drops it: the
    // listener is closed behind those tasks, while no new ones come.
    let closed = channel.setOption(.autoRead, value: false).flatMap { channel.eventLoop.flatSubmit { channel.close() } }
    do { try await closed.get() } catch { logger.error("closing the socket failed: \(error)") }
    connections.quiesce()
  }

  /// Closes all connections, also those whose clients do not read their answers.
  func dropConnections() { connections.close() }
}

/// An accepted connection on its way to the task that serves it. NIO insists that each is closed in its own way, also
/// one that the daemon, stopping, no longer serves.
private final class Connection: Sendable {
  private let value: HTTP1Channel.Value
  private let isTaken = Atomic(false)

  init(_ value: HTTP1Channel.Value) { self.value = value }

  func take() -> HTTP1Channel.Value {
    isTaken.store(true, ordering: .relaxed)
    return value
  }

  deinit {
    guard !isTaken.load(ordering: .relaxed) else { return }
    Task { [value] in try? await value.executeThenClose { _, _ in } }
  }
}

extension Peer {
  /// The client, as the kernel knows it; nil when the socket is none of Unix's.
  fileprivate static func read(_ channel: any Channel) -> EventLoopFuture<Peer?> {
    guard let socket = channel as? any SocketOptionProvider else { return channel.eventLoop.makeSucceededFuture(nil) }
    let option = NIOBSDSocket.Option(rawValue: SO_PEERCRED)
    let credentials: EventLoopFuture<csystemd_peer> = socket.unsafeGetSocketOption(level: .socket, name: option)
    return credentials.map { Peer(user: $0.uid, group: $0.gid) }.recover { _ in nil }
  }
}

/// The connections that are open, and who is at their other ends.
private final class Connections: Sendable {
  private struct State {
    /// Those that are open.
    var channels: [ObjectIdentifier: any Channel] = [:]
    /// Of those whose requests are still being served.
    var peers: [ObjectIdentifier: Peer] = [:]
    var accepted = 0
  }

  private let state = Mutex(State())

  var load: (open: Int, accepted: Int) { state.withLock { ($0.channels.count, $0.accepted) } }

  func peer(of channel: any Channel) -> Peer? { state.withLock { $0.peers[ObjectIdentifier(channel)] } }

  /// No request of it is served any more.
  func forget(_ channel: any Channel) { state.withLock { $0.peers[ObjectIdentifier(channel)] = nil } }

  func add(_ channel: any Channel, _ peer: Peer?) {
    let id = ObjectIdentifier(channel)
    state.withLock { state in
      state.channels[id] = channel
      state.peers[id] = peer
      state.accepted += 1
    }
    channel.closeFuture.whenComplete { _ in
      self.state.withLock { $0.channels[id] = nil }
    }
  }

  func quiesce() {
    for channel in all { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
  }

  func close() {
    for channel in all { channel.close(promise: nil) }
  }

  private var all: [any Channel] { state.withLock { Array($0.channels.values) } }
}

/// Answers one request and logs it.
private func respond(
  with responder: some HTTPResponder<DaemonContext>, to request: Request, writer: consuming ResponseWriter,
  context: DaemonContext, log: AccessLog
) async throws {
  var entry = AccessLog.Entry(request)
  if request.waitsForContinue && request.declaredLength <= pictureRequestLimit {
    try await writer.writeInformationalHead(HTTPResponse(status: .continue))
  }
  entry.user = context.peer?.user
  let response: Response
  do {
    response = try await responder.respond(to: request, context: context)
  } catch {
    response = Response(failure: error, of: request)
  }
  entry.status = response.status.code
  do {
    try await writer.write(response: response.head, body: response.body)
  } catch {
    entry.clientLeft = true
    log.write(entry)
    throw error
  }
  log.write(entry)
}
