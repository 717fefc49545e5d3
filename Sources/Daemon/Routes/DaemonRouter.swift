import Embeddings
import Errors
import Hummingbird
import Wire

/// What the routes work on. The families of routes (our own, AUTOMATIC1111's,
/// OpenAI's) all work on the same.
struct Services: Sendable {
  let generation: GenerationService
  let store: EmbeddingStore
  let access: AccessControl
  let metrics: Metrics
  let reload: Reloader
  let started = ContinuousClock.now
}

/// One route of the daemon: a line of a table, so that its path can answer other methods with 405.
struct Route: Sendable {
  let method: HTTPRequest.Method
  /// In Hummingbird's syntax: `/v1/embeddings/:name`.
  let path: String
  /// What it takes to use it.
  var role = Role.generate
  let handle: @Sendable (Request, DaemonContext) async throws -> Response
}

/// Of the registry of methods, those that somebody may try.
private let otherMethods = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "QUERY"].compactMap {
  HTTPRequest.Method($0)
}

/// All routes behind one responder.
func makeRouter(_ services: Services) -> some HTTPResponder<DaemonContext> {
  let router = Router(context: DaemonContext.self)
  router.addMiddleware { ErrorMiddleware() }
  let described =
    generateRoutes(services) + embeddingRoutes(services) + statusRoutes(services) + metricsRoutes(services)
    + a1111Routes(services) + openAIRoutes(services)
  let routes = described + [openAPIRoute(described)]
  for route in routes {
    router.on(RouterPath(route.path), method: route.method) { request, context -> Response in
      if route.role > .none { try services.access.require(route.role, of: context.peer) }
      return try await route.handle(request, context)
    }
  }
  for (path, routes) in Dictionary(grouping: routes, by: \.path) {
    let allowed = routes.map(\.method.rawValue).sorted().joined(separator: ", ")
    for method in otherMethods where !routes.contains(where: { $0.method == method }) {
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
