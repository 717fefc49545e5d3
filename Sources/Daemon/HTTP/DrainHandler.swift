import NIOCore
import NIOHTTPTypes

/// Closes the connection of a stopping daemon: at once when nothing is asked, else when the last byte of the last
/// answer has gone to the client. (Hummingbird's own handler closes when the answer is queued, and so cuts off long
/// ones.) A client that has just come is about to ask: it has a moment to do so.
final class DrainHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private static let patience = TimeAmount.seconds(1)

  private var hasAsked = false
  /// Requests whose answers have not gone out completely.
  private var unanswered = 0
  private var isDraining = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .head = unwrapInboundIn(data) {
      hasAsked = true
      unanswered += 1
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(var response) where isDraining && response.status.kind != .informational:
      // The client's next request goes to the next process.
      response.headerFields[.connection] = "close"
      context.write(wrapOutboundOut(.head(response)), promise: promise)
    case .end:
      let sent = promise ?? context.eventLoop.makePromise()
      sent.futureResult.assumeIsolated().whenComplete { _ in
        self.unanswered -= 1
        self.closeIfDone(context)
      }
      context.write(data, promise: sent)
    default:
      context.write(data, promise: promise)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event is ChannelShouldQuiesceEvent else {
      context.fireUserInboundEventTriggered(event)
      return
    }
    isDraining = true
    guard !hasAsked else { return closeIfDone(context) }
    context.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) { self.closeIfDone(context) }
  }

  private func closeIfDone(_ context: ChannelHandlerContext) {
    if isDraining && unanswered <= 0 { context.close(promise: nil) }
  }
}
