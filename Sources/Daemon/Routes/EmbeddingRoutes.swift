import Embeddings
import Errors
import FoundationEssentials
import Hummingbird
import Wire

func embeddingRoutes(_ services: Services) -> [Route] {
  let store = services.store
  return [
    Route(method: .get, path: "/v1/embeddings") { _, _ in
      Response(.ok, EmbeddingsReply(store.table))
    },
    Route(method: .post, path: "/v1/embeddings/rescan", role: .manage) { _, _ in
      Response(.ok, EmbeddingsReply(store.rescan()))
    },
    Route(method: .get, path: "/v1/embeddings/:name") { _, context in
      let name = try context.pathParameter("name")
      let table = store.table
      guard let embedding = table[name] else {
        throw InversionError(.notFound, "'\(name)': no such embedding; GET /v1/embeddings lists all")
      }
      return Response(.ok, EmbeddingReply(embedding, in: table))
    },
    Route(method: .put, path: "/v1/embeddings/:name", role: .manage) { request, context in
      let name = try context.pathParameter("name")
      let body = try await request.bytes(limit: EmbeddingFile.byteLimit, for: context)
      let embedding = try store.add(Array(body.readableBytesView), as: name)
      return Response(.ok, EmbeddingReply(embedding, in: store.table))
    },
    Route(method: .delete, path: "/v1/embeddings/:name", role: .manage) { _, context in
      let name = try context.pathParameter("name")
      try store.remove(name)
      return Response(.ok, RemovedReply(removed: name, generation: store.table.generation))
    },
  ]
}

extension DaemonContext {
  /// A part of the path, decoded.
  /// - Throws: `.invalidArgument` when its percent encoding is broken or not UTF-8.
  func pathParameter(_ name: String) throws(InversionError) -> String {
    let raw = parameters.get(name) ?? ""
    guard let value = percentDecoded(raw), !value.isEmpty else {
      throw InversionError(.invalidArgument, "'\(raw)': not percent-encoded UTF-8")
    }
    return value
  }
}

/// Nil when the encoding is broken or gives no UTF-8.
private func percentDecoded(_ text: String) -> String? {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    let digits = rest.prefix(2).compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count == 2 else { return nil }
    bytes.append(UInt8(digits[0] << 4 | digits[1]))
    rest = rest.dropFirst(2)
  }
  return String(validating: bytes, as: UTF8.self)
}
