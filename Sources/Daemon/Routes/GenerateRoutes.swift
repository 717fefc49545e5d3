import Errors
import Hummingbird
import HummingbirdCore
import NIOCore
import Wire

func generateRoutes(_ services: Services) -> [Route] {
  [
    Route(method: .post, path: "/v1/generate") { request, context in
      let wire = try await request.json(GenerateRequest.self, limit: context.maxUploadSize)
      let order = try Order(wire)
      // The snapshot is taken when the request arrives: what its writer saw is what it gets.
      let job = try await services.generation.submit(
        order, embeddings: services.store.table, owner: await context.peerUser() ?? 0)
      cancel(job, whenClosed: context.channel)
      let wantsEvents = wire.stream ?? request.headers[.accept]?.contains("text/event-stream") ?? false
      return wantsEvents ? Response(eventsOf: job) : try await result(of: job)
    },
    Route(method: .post, path: "/v1/cancel/:job") { _, context in
      let id = try context.pathParameter("job")
      try await services.generation.cancel(id)
      return Response(.ok, CancelReply(cancelled: id))
    },
  ]
}

/// A client that has hung up waits for no picture. (One that has only closed its sending half still does.)
private func cancel(_ job: Job, whenClosed channel: any Channel) {
  channel.closeFuture.whenComplete { [weak job] _ in job?.cancel() }
}

/// The one answer for a client that wants no events.
private func result(of job: Job) async throws -> Response {
  for await event in job.events {
    switch event {
    case .result(let reply): return Response(.ok, reply)
    case .error(let reply):
      let code = InversionError.Code(rawValue: reply.error.code) ?? .internal
      throw InversionError(code, reply.error.message)
    case .queued, .started, .progress: continue
    }
  }
  // The stream ends without a last event when the task that reads it is cancelled.
  throw InversionError(.cancelled, "job '\(job.id)' was cancelled")
}
