import FoundationEssentials
import Generation
import Glibc
import Hummingbird
import HummingbirdCore
import NIOCore
import Wire

/// OpenAI's image API over the same services. Its list of models is that of `GET /v1/models`.
func openAIRoutes(_ services: Services) -> [Route] {
  let shelf = services.generation.shelf
  return [
    Route(method: .post, path: "/v1/images/generations") { request, context in
      let fields = try RequestFields(json: try await request.bytes(limit: context.maxUploadSize, for: context))
      return try await services.answer(OpenAIRequest(fields, shelf: shelf), of: "image_generation", for: context)
    },
    Route(method: .post, path: "/v1/images/edits") { request, context in
      let body = try await request.bytes(limit: pictureRequestLimit, for: context)
      let form = try MultipartForm(Array(body.readableBytesView), contentType: request.headers[.contentType] ?? "")
      let fields = RequestFields(form.texts.mapValues { .string($0) })
      let asked = try OpenAIRequest(fields, shelf: shelf, start: StartingPicture(form, fields))
      return try await services.answer(asked, of: "image_edit", for: context)
    },
  ]
}

extension Services {
  fileprivate func answer(_ asked: OpenAIRequest, of kind: String, for context: DaemonContext) async throws -> Response
  {
    let job = try await submit(asked.order, for: context)
    guard asked.stream else { return Response(.ok, body(try await job.reply(), asked)) }
    return Response(
      status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
      body: ResponseBody { writer in
        for event in await lastEvents(of: job, asked, kind) { try await writer.write(event) }
        try await writer.finish(nil)
      })
  }

  /// Partial pictures are not made; a client has to be ready for none.
  private func lastEvents(of job: Job, _ asked: OpenAIRequest, _ kind: String) async -> [ByteBuffer] {
    do {
      let reply = try await job.reply()
      return reply.pictures.map { picture in
        let name = "\(kind).completed"
        let data: JSONValue = [
          "type": .string(name), "b64_json": .string(picture.data.base64EncodedString()), "created_at": now,
          "size": .string("\(picture.width)x\(picture.height)"), "quality": .string(asked.quality),
          "background": "opaque", "output_format": .string(picture.format), "usage": Self.usage,
        ]
        return serverSentEvent(name, data)
      }
    } catch {
      return [
        serverSentEvent(
          "error", OpenAIError(status: error.code.httpStatus, message: error.message, code: error.code.rawValue).body)
      ]
    }
  }

  private func body(_ reply: GenerateReply, _ asked: OpenAIRequest) -> JSONValue {
    let data = reply.pictures.map { picture -> JSONValue in
      let text = picture.data.base64EncodedString()
      let isURL = asked.wantsURL
      return [isURL ? "url" : "b64_json": .string(isURL ? "data:image/\(picture.format);base64,\(text)" : text)]
    }
    let first = reply.pictures.first
    return [
      "created": now, "data": .array(data), "background": "opaque", "quality": .string(asked.quality),
      "output_format": .string(asked.order.format.rawValue),
      "size": .string("\(first?.width ?? 0)x\(first?.height ?? 0)"), "usage": Self.usage,
      // Ours: what cannot be seen in the pictures.
      "seed": .integer(Int64(bitPattern: reply.seed)), "embeddings": use(reply.embeddings),
    ]
  }

  private func use(_ use: EmbeddingUse) -> JSONValue {
    [
      "used": .array(use.used.map { ["name": .string($0.name), "sha256": .string($0.sha256)] }),
      "unused": .array(use.unused.map { ["name": .string($0.name), "reason": .string($0.reason)] }),
    ]
  }

  private var now: JSONValue { .integer(Int64(time(nil))) }

  /// Nobody pays here.
  private static let usage: JSONValue = [
    "input_tokens": 0, "output_tokens": 0, "total_tokens": 0,
    "input_tokens_details": ["image_tokens": 0, "text_tokens": 0],
  ]
}
