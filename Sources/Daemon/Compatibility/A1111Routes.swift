import Hummingbird
import HummingbirdCore
import Wire

/// AUTOMATIC1111's API over the same services, for the clients that people have (docs/protocol.md).
func a1111Routes(_ services: Services) -> [Route] {
  let options = A1111Options()
  return a1111PictureRoutes(services, options) + a1111CatalogRoutes(services) + a1111PngInfoRoutes()
    + a1111SettingRoutes(services, options)
}

private func a1111PictureRoutes(_ services: Services, _ options: A1111Options) -> [Route] {
  [("/sdapi/v1/txt2img", false), ("/sdapi/v1/img2img", true)].map { path, fromPicture in
    Route(method: .post, path: path) { request, context in
      let asked = try await a1111Request(
        request, context, fromPicture: fromPicture, options, services.generation.shelf)
      let reply = try await services.pictures(asked.order, for: context)
      return Response(.ok, A1111Reply(request: asked, reply: reply).body)
    }
  } + [
    Route(method: .get, path: "/sdapi/v1/progress") { _, _ in
      Response(.ok, progress(await services.generation.load))
    },
    // Both end the denoising early; the pictures are answered as they are then.
    Route(method: .post, path: "/sdapi/v1/interrupt") { _, context in
      await services.generation.interrupt(owner: context.owner)
      return Response(.ok, [:] as JSONValue)
    },
    Route(method: .post, path: "/sdapi/v1/skip") { _, context in
      await services.generation.interrupt(owner: context.owner)
      return Response(.ok, [:] as JSONValue)
    },
  ]
}

// Apart from its route, because the compiler of Swift 6.3 crashes on the two in one when it optimises.
@inline(never)
private func a1111Request(
  _ request: Request, _ context: DaemonContext, fromPicture: Bool, _ options: A1111Options, _ shelf: ModelShelf
) async throws -> A1111Request {
  let fields = try RequestFields(json: try await request.bytes(limit: pictureRequestLimit, for: context))
  return try A1111Request(fields, fromPicture: fromPicture, options: options.values, shelf)
}

private func progress(_ load: (waiting: Int, current: StatusReply.CurrentJob?)) -> JSONValue {
  let step = load.current?.step ?? 0
  let steps = load.current?.steps ?? 0
  let share = steps > 0 ? Double(step) / Double(steps) : 0
  return [
    "progress": .number(share), "eta_relative": .number(0),
    "state": [
      "skipped": false, "interrupted": false, "stopping_generation": false,
      "job": .string(load.current.map { "job \($0.job)" } ?? ""),
      "job_count": .integer(load.current == nil ? 0 : Int64(load.waiting + 1)), "job_timestamp": "0", "job_no": 0,
      "sampling_step": .integer(Int64(step)), "sampling_steps": .integer(Int64(steps)),
    ],
    "current_image": nil, "textinfo": nil,
  ]
}

private func a1111SettingRoutes(_ services: Services, _ options: A1111Options) -> [Route] {
  let shelf = services.generation.shelf
  return [
    Route(method: .get, path: "/sdapi/v1/options") { _, _ in Response(.ok, options.all(shelf)) },
    Route(method: .post, path: "/sdapi/v1/options", role: .manage) { request, context in
      try options.set(
        RequestFields(json: try await request.bytes(limit: context.maxUploadSize, for: context)), shelf)
      return Response(.ok, nil as JSONValue)
    },
    Route(method: .post, path: "/sdapi/v1/unload-checkpoint", role: .manage) { _, _ in
      await services.generation.unloadIfIdle()
      return Response(.ok, nil as JSONValue)
    },
    // No flag of a service manager's is anybody's business.
    Route(method: .get, path: "/sdapi/v1/cmd-flags") { _, _ in Response(.ok, [:] as JSONValue) },
    Route(method: .post, path: "/sdapi/v1/refresh-embeddings", role: .manage) { _, _ in
      services.store.rescan()
      return Response(.ok, nil as JSONValue)
    },
  ]
    + ["refresh-checkpoints", "refresh-loras", "refresh-vae", "reload-checkpoint"].map { name in
      Route(method: .post, path: "/sdapi/v1/\(name)", role: .manage) { _, _ in Response(.ok, nil as JSONValue) }
    }
}
