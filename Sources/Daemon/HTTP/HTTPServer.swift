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
      responder: { request, writer, channel in
        try await respond(with: responder, to: request, writer: writer, channel: channel, bodies: bodies, log: log)
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
        connections.add(channel)
        return child.setup(channel: channel, logger: logger).map { Connection($0) }
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
              group.addTask { await self.child.handle(value: connection.take(), logger: self.logger) }
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

  /// Accepts no more connections.
  func stopAccepting() { listener.channel.close(promise: nil) }

  /// Closes the connections that are idle now, and the others after the answer that they wait for.
  func closeConnections() { connections.quiesce() }

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

/// The connections that are open.
private final class Connections: Sendable {
  private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

  func add(_ channel: any Channel) {
    let id = ObjectIdentifier(channel)
    channels.withLock { $0[id] = channel }
    channel.closeFuture.whenComplete { _ in
      self.channels.withLock { $0[id] = nil }
    }
  }

  func quiesce() {
    for channel in all { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
  }

  func close() {
    for channel in all { channel.close(promise: nil) }
  }

  private var all: [any Channel] { channels.withLock { Array($0.values) } }
}

/// Answers one request and logs it.
private func respond(
  with responder: some HTTPResponder<DaemonContext>, to request: Request, writer: consuming ResponseWriter,
  channel: any Channel, bodies: BodyMemory, log: AccessLog
) async throws {
  var entry = AccessLog.Entry(request)
  if request.waitsForContinue && request.declaredLength <= pictureRequestLimit {
    try await writer.writeInformationalHead(HTTPResponse(status: .continue))
  }
  var context = DaemonContext(source: ApplicationRequestContextSource(channel: channel, logger: log.logger))
  context.bodies = bodies.share()
  entry.user = await context.peer()?.user
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
