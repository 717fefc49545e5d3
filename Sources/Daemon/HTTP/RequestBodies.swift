import Errors
import FoundationEssentials
import Hummingbird
import HummingbirdCore
import NIOCore

/// A client sent more than a route takes.
struct BodyTooLarge: Error {
  let limit: Int
}

extension Request {
  /// What is read and thrown away of a body that is too large: a client that only listens when it has sent everything
  /// then gets its answer, too.
  private static let discardLimit = 64 << 20

  /// The whole body.
  /// - Throws: `BodyTooLarge`; `.busy` when other requests' bodies have left no memory for it.
  func bytes(limit: Int, for context: DaemonContext) async throws -> ByteBuffer {
    if waitsForContinue && declaredLength > limit { throw BodyTooLarge(limit: limit) }
    var count = 0
    var buffer = ByteBuffer()
    for try await part in body {
      count += part.readableBytes
      if count > Self.discardLimit { break }
      if count > limit {
        buffer.clear()
      } else {
        try context.bodies?.take(part.readableBytes)
        buffer.writeImmutableBuffer(part)
      }
    }
    guard count <= limit else { throw BodyTooLarge(limit: limit) }
    return buffer
  }

  /// The client sends its body only after it has been told to.
  var waitsForContinue: Bool { headers[.expect]?.lowercased() == "100-continue" }

  var declaredLength: Int { headers[.contentLength].flatMap { Int($0) } ?? 0 }

  /// Decodes the JSON body.
  /// - Throws: `.invalidArgument` naming the field; what `bytes` throws.
  func json<T: Decodable>(_ type: T.Type, limit: Int, for context: DaemonContext) async throws -> T {
    let buffer = try await bytes(limit: limit, for: context)
    do {
      return try JSONDecoder().decode(type, from: Data(buffer.readableBytesView))
    } catch let error as DecodingError {
      throw InversionError(.invalidArgument, error.explanation)
    }
  }
}

extension DecodingError {
  /// One line that names the field.
  fileprivate var explanation: String {
    func field(_ path: [any CodingKey]) -> String { "'\(path.map(\.stringValue).joined(separator: "."))'" }
    switch self {
    case .keyNotFound(let key, let context):
      return "\(field(context.codingPath + [key])): missing; the request needs it"
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      if context.codingPath.isEmpty { return "the body is not a JSON object" }
      return "\(field(context.codingPath)): not of type \(type)"
    case .dataCorrupted(let context):
      if context.codingPath.isEmpty { return "the body cannot be read: \(context.debugDescription)" }
      return "\(field(context.codingPath)): \(context.debugDescription)"
    @unknown default:
      return "the body cannot be read: \(self)"
    }
  }
}
