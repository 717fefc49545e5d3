import Errors
import Hummingbird
import HummingbirdCore
import NIOCore
import Wire

/// Bytes of a JSON body that may hold pictures in base64.
let pictureRequestLimit = 48 << 20

func generateRoutes(_ services: Services) -> [Route] {
  [
    Route(method: .post, path: "/v1/generate") { request, context in
      let wire = try await request.json(GenerateRequest.self, limit: pictureRequestLimit, for: context)
      let order = try Order(wire)
      let job = try await services.submit(order, for: context)
      let wantsEvents = wire.stream ?? request.headers[.accept]?.contains("text/event-stream") ?? false
      return wantsEvents ? Response(eventsOf: job) : Response(.ok, try await job.reply())
    },
    Route(method: .post, path: "/v1/cancel/:job") { _, context in
      let id = try context.pathParameter("job")
      let isAdmin = services.access.policy.role(of: context.peer) >= .admin
      try await services.generation.cancel(id, by: isAdmin ? nil : context.owner)
      return Response(.ok, CancelReply(cancelled: id))
    },
  ]
}

extension Services {
  /// Queues an order of a client's; the job ends when the client hangs up.
  /// - Throws: `.busy`.
  func submit(_ order: Order, for context: DaemonContext) async throws -> Job {
    let job = try await generation.submit(order, owner: context.owner)
    // A client that has hung up waits for no picture. (One that has only closed its sending half still does.)
    context.channel.closeFuture.whenComplete { [weak job] _ in job?.cancel() }
    return job
  }

  /// The finished pictures of a client's order.
  /// - Throws: what `Job.reply` and `submit` throw.
  func pictures(_ order: Order, for context: DaemonContext) async throws -> GenerateReply {
    try await submit(order, for: context).reply()
  }
}

extension Job {
  /// Waits for its end; for one that nobody else listens to.
  /// - Throws: the error that it ended with.
  func reply() async throws(InversionError) -> GenerateReply {
    for await event in events {
      switch event {
      case .result(let reply): return reply
      case .error(let reply):
        throw InversionError(InversionError.Code(rawValue: reply.error.code) ?? .internal, reply.error.message)
      case .queued, .started, .progress: continue
      }
    }
    // The stream ends without a last event when the task that reads it is cancelled.
    throw cancellation
  }
}
