import NIOCore
import NIOHTTPTypes

/// Hangs up on a client that takes nothing of its answer for too long: the answer and the connection are memory that
/// others need. Long answers go out in slices, so that a slow client that does read is told from one that does not.
final class SlowReaderHandler: ChannelOutboundHandler, RemovableChannelHandler {
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private static let sliceBytes = 64 << 10

  private let patience: TimeAmount
  /// Writes that the kernel has not taken yet.
  private var pending = 0
  private var lastTaken = NIODeadline.now()
  private var isWatching = false

  init(patience: TimeAmount) { self.patience = patience }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .body(var buffer) = unwrapOutboundIn(data) else {
      watch(data, promise, context)
      return
    }
    while buffer.readableBytes > Self.sliceBytes, let slice = buffer.readSlice(length: Self.sliceBytes) {
      watch(wrapOutboundOut(.body(slice)), nil, context)
    }
    watch(wrapOutboundOut(.body(buffer)), promise, context)
  }

  private func watch(_ data: NIOAny, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
    let taken = promise ?? context.eventLoop.makePromise()
    if pending == 0 { lastTaken = .now() }
    pending += 1
    taken.futureResult.assumeIsolated().whenComplete { _ in
      self.pending -= 1
      self.lastTaken = .now()
    }
    context.write(data, promise: taken)
    if !isWatching {
      isWatching = true
      lookAgain(context)
    }
  }

  private func lookAgain(_ context: ChannelHandlerContext) {
    context.eventLoop.assumeIsolated().scheduleTask(deadline: lastTaken + patience) {
      if self.pending == 0 || !context.channel.isActive {
        self.isWatching = false
      } else if .now() >= self.lastTaken + self.patience {
        context.close(promise: nil)
      } else {
        self.lookAgain(context)
      }
    }
  }
}
