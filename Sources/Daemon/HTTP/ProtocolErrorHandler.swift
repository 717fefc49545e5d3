import Errors
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import Wire

/// Answers bytes that are no HTTP, or too long a header, as every other error is answered; then hangs up, because
/// nobody knows where the next request would begin.
final class ProtocolErrorHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  /// An answer has begun and has not ended.
  private var isAnswering = false

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(let head): isAnswering = head.status.kind != .informational
    case .end: isAnswering = false
    case .body: break
    }
    context.write(data, promise: promise)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError, !isAnswering else {
      context.fireErrorCaught(error)
      return
    }
    let tooLong = error == .headerOverflow
    let message = tooLong ? "the request's header is too long" : "the request is not HTTP/1.1: \(error)"
    let body = json(ErrorReply(InversionError(.invalidArgument, message)))
    let head = HTTPResponse(
      status: tooLong ? .requestHeaderFieldsTooLarge : .badRequest,
      headerFields: [
        .contentType: "application/json; charset=utf-8", .contentLength: "\(body.count)", .connection: "close",
      ])
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(ByteBuffer(bytes: body))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    context.close(promise: nil)
  }
}
