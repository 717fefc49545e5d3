import Errors
import NIOCore
import NIOHTTP1
import NIOPosix
import Wire

/// One HTTP/1.1 exchange over a Unix socket.
struct UnixHTTP {
  let socketPath: String

  private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, SendableRequestPart>

  /// Sends a request and hands out the body of a successful answer as it comes.
  /// - Throws: `.daemonUnavailable`; `.invalidArgument` for a path that no socket can have; the daemon's own error
  ///   for an answer that is none of success; `.cancelled` when the task is; what `receive` throws.
  func exchange(
    method: HTTPMethod, uri: String, headers: [String: String], body: [UInt8],
    receive: ([UInt8]) throws(InversionError) -> Void
  ) async throws(InversionError) {
    let connection = try await connect()
    do {
      try await connection.executeThenClose { inbound, outbound in
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: uri)
        head.headers = ["Host": "localhost", "Connection": "close", "Content-Length": "\(body.count)"]
        for (name, value) in headers { head.headers.add(name: name, value: value) }
        try await outbound.write(contentsOf: [.head(head), .body(ByteBuffer(bytes: body)), .end])
        try await read(inbound, receive: receive)
      }
    } catch let error as InversionError {
      throw error
    } catch {
      if Task.isCancelled { throw InversionError(.cancelled, "cancelled") }
      throw InversionError(.daemonUnavailable, "'\(socketPath)': the daemon hung up: \(error)")
    }
  }

  private func read(
    _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>,
    receive: ([UInt8]) throws(InversionError) -> Void
  ) async throws {
    var status: HTTPResponseStatus?
    var failure: [UInt8] = []
    for try await part in inbound {
      switch part {
      case .head(let head): status = head.status
      case .body(let buffer):
        let bytes = Array(buffer.readableBytesView)
        if status == .ok { try receive(bytes) } else { failure += bytes }
      case .end:
        guard let status, status != .ok else { return }
        guard let reply = try? decoded(ErrorReply.self, failure) else {
          throw InversionError(.internal, "'\(socketPath)': answered \(status.code) \(status.reasonPhrase)")
        }
        throw InversionError(reply)
      }
    }
    if Task.isCancelled { throw InversionError(.cancelled, "cancelled") }
    throw InversionError(.daemonUnavailable, "'\(socketPath)': the daemon hung up before it had answered")
  }

  private func connect() async throws(InversionError) -> Connection {
    do {
      return try await ClientBootstrap(group: Self.group).connect(unixDomainSocketPath: socketPath) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          try channel.pipeline.syncOperations.addHandler(RequestPartEncoder())
          return try Connection(wrappingChannelSynchronously: channel)
        }
      }
    } catch SocketAddressError.unixDomainSocketPathTooLong {
      throw InversionError(
        .invalidArgument, "'\(socketPath)': a socket path of \(socketPath.utf8.count) bytes; the kernel takes 107")
    } catch {
      throw unavailable(error)
    }
  }

  private func unavailable(_ error: any Error) -> InversionError {
    let start = "start one with 'inversiond --model DIR --embeddings DIR --socket \(socketPath)'"
    switch (error as? IOError)?.errnoCode {
    case EACCES, EPERM:
      return InversionError(.daemonUnavailable, "'\(socketPath)': no permission for the socket; join its group")
    case ENOENT:
      return InversionError(.daemonUnavailable, "'\(socketPath)': no daemon there; \(start)")
    case ECONNREFUSED:
      return InversionError(.daemonUnavailable, "'\(socketPath)': its daemon is gone; \(start)")
    default:
      return InversionError(.daemonUnavailable, "'\(socketPath)': the daemon does not answer (\(error)); \(start)")
    }
  }

  /// A single thread, started with the first connection.
  private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}

/// `HTTPClientRequestPart` without its `IOData`, which cannot be sent between tasks.
private enum SendableRequestPart: Sendable {
  case head(HTTPRequestHead)
  case body(ByteBuffer)
  case end
}

private final class RequestPartEncoder: ChannelOutboundHandler {
  typealias OutboundIn = SendableRequestPart
  typealias OutboundOut = HTTPClientRequestPart

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let part: HTTPClientRequestPart =
      switch unwrapOutboundIn(data) {
      case .head(let head): .head(head)
      case .body(let buffer): .body(.byteBuffer(buffer))
      case .end: .end(nil)
      }
    context.write(wrapOutboundOut(part), promise: promise)
  }
}
