import Hummingbird
import HummingbirdCore

/// The routes as an OpenAPI 3.1 document, for tools that make clients and tests from one.
func openAPIRoute(_ routes: [Route]) -> Route {
  let document = openAPIDocument(routes)
  return Route(method: .get, path: "/openapi.json", role: .none) { _, _ in Response(.ok, document) }
}

private func openAPIDocument(_ routes: [Route]) -> JSONValue {
  var paths: [String: [String: JSONValue]] = [:]
  for route in routes {
    paths[template(route.path), default: [:]][route.method.rawValue.lowercased()] = operation(route)
  }
  return [
    "openapi": "3.1.0",
    "info": ["title": "Inversion", "version": .string(Daemon.version), "license": ["name": "Apache-2.0"]],
    "paths": .object(paths.mapValues { .object($0) }),
  ]
}

/// `/v1/embeddings/:name` -> `/v1/embeddings/{name}`
private func template(_ path: String) -> String {
  path.split(separator: "/").map { $0.hasPrefix(":") ? "/{\($0.dropFirst())}" : "/\($0)" }.joined()
}

private func operation(_ route: Route) -> JSONValue {
  let names = route.path.split(separator: "/").filter { $0.hasPrefix(":") }.map { String($0.dropFirst()) }
  let parameters = names.map { name -> JSONValue in
    ["name": .string(name), "in": "path", "required": true, "schema": ["type": "string", "minLength": 1]]
  }
  var fields: [String: JSONValue] = [
    "operationId": .string("\(route.method.rawValue.lowercased())\(route.path.filter { $0.isLetter || $0 == "/" })"),
    "parameters": .array(parameters),
    "responses": [
      "200": ["description": "done", "content": content(of: route)],
      "default": ["description": "an error, or the daemon is stopping", "content": ["application/json": [:]]],
    ],
  ]
  if let body = RequestSchemas.bodies["\(route.method.rawValue) \(route.path)"] {
    fields["requestBody"] = ["required": true, "content": body]
  }
  return .object(fields)
}

private func content(of route: Route) -> JSONValue {
  switch route.path {
  case "/metrics": ["text/plain": ["schema": ["type": "string"]]]
  case "/v1/generate", "/v1/images/generations", "/v1/images/edits":
    ["application/json": ["schema": ["type": "object"]], "text/event-stream": ["schema": ["type": "string"]]]
  default: ["application/json": [:]]
  }
}
