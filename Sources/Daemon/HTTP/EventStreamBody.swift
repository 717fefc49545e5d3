import FoundationEssentials
import Hummingbird
import HummingbirdCore
import NIOCore
import Wire

extension Response {
  /// Server-sent events, as they come, to the end of the job.
  init(eventsOf job: Job) {
    self.init(
      status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
      body: ResponseBody { writer in
        for await event in job.events { try await writer.write(event.serverSentEvent) }
        try await writer.finish(nil)
      })
  }
}

extension GenerateEvent {
  fileprivate var serverSentEvent: ByteBuffer {
    let data =
      switch self {
      case .queued(let event): json(event)
      case .started(let event): json(event)
      case .progress(let event): json(event)
      case .result(let reply): json(reply)
      case .error(let reply): json(reply)
      }
    return event(name, data)
  }
}

/// `event:` and `data:` lines and the empty line that ends them.
func serverSentEvent(_ name: String, _ data: some Encodable) -> ByteBuffer { event(name, json(data)) }

/// - Parameter data: JSON, which has no line breaks outside of strings.
private func event(_ name: String, _ data: Data) -> ByteBuffer {
  var buffer = ByteBuffer(string: "event: \(name)\ndata: ")
  buffer.writeBytes(data)
  buffer.writeString("\n\n")
  return buffer
}
