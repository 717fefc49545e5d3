import NIOCore
import NIOHTTPTypes

/// Closes the connection of a stopping daemon: at once when nothing is asked, else when the last byte of the last
/// answer has gone to the client. (Hummingbird's own handler closes when the answer is queued, and so cuts off long
/// ones.)
final class DrainHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  /// Requests whose answers have not gone out completely.
  private var unanswered = 0
  private var isDraining = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .head = unwrapInboundIn(data) { unanswered += 1 }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .end = unwrapOutboundIn(data) else {
      context.write(data, promise: promise)
      return
    }
    let sent = promise ?? context.eventLoop.makePromise()
    sent.futureResult.assumeIsolated().whenComplete { _ in
      self.unanswered -= 1
      self.closeIfDone(context)
    }
    context.write(data, promise: sent)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event is ChannelShouldQuiesceEvent else {
      context.fireUserInboundEventTriggered(event)
      return
    }
    isDraining = true
    closeIfDone(context)
  }

  private func closeIfDone(_ context: ChannelHandlerContext) {
    if isDraining && unanswered <= 0 { context.close(promise: nil) }
  }
}
