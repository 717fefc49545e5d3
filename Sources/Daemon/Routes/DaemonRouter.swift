import Embeddings
import Errors
import Hummingbird
import Wire

/// What the routes work on. The families of routes (our own, AUTOMATIC1111's,
/// OpenAI's) all work on the same.
struct Services: Sendable {
  let generation: GenerationService
  let store: EmbeddingStore
  let started = ContinuousClock.now
}

/// One route of the daemon: a line of a table, so that its path can answer other methods with 405.
struct Route: Sendable {
  let method: HTTPRequest.Method
  /// In Hummingbird's syntax: `/v1/embeddings/:name`.
  let path: String
  let handle: @Sendable (Request, DaemonContext) async throws -> Response
}

/// All routes behind one responder.
func makeRouter(_ services: Services) -> some HTTPResponder<DaemonContext> {
  let router = Router(context: DaemonContext.self)
  router.addMiddleware { ErrorMiddleware() }
  let routes =
    generateRoutes(services) + embeddingRoutes(services) + statusRoutes(services) + a1111Routes(services)
    + openAIRoutes(services)
  for route in routes {
    router.on(RouterPath(route.path), method: route.method, use: route.handle)
  }
  for (path, routes) in Dictionary(grouping: routes, by: \.path) {
    let allowed = routes.map(\.method.rawValue).sorted().joined(separator: ", ")
    for method in [.get, .put, .post, .delete, .head, .patch] as [HTTPRequest.Method]
    where !routes.contains(where: { $0.method == method }) {
      router.on(RouterPath(path), method: method) { request, _ -> Response in
        let message = "'\(request.uri.path)': \(request.method.rawValue) is not possible; use \(allowed)"
        var response = Response(.methodNotAllowed, message: message, of: request)
        response.headers[.allow] = allowed
        return response
      }
    }
  }
  return router.buildResponder()
}
