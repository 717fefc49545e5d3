import Errors
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Wire

extension InversionError.Code {
  /// The HTTP status that goes with it.
  var httpStatus: HTTPResponse.Status {
    switch self {
    case .invalidArgument: .badRequest
    case .badFile, .badPicture, .badEmbedding, .promptTooLong, .unknownEmbedding: .unprocessableContent
    case .notFound: .notFound
    case .cancelled: .conflict
    case .busy: .serviceUnavailable
    case .fileUnavailable, .badModel, .daemonUnavailable, .socketInUse, .diverged, .internal: .internalServerError
    }
  }
}

/// Gives every failure the same JSON body.
struct ErrorMiddleware: RouterMiddleware {
  func handle(
    _ request: Request, context: DaemonContext, next: (Request, DaemonContext) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch {
      return Response(failure: error, of: request)
    }
  }
}

extension Response {
  /// Seconds after which a busy daemon may be asked again.
  private static let retryAfter = "5"

  /// The answer for an error of any kind.
  init(failure: any Error, of request: Request) {
    switch failure {
    case let error as InversionError:
      self.init(error.code.httpStatus, ErrorReply(error))
      if error.code == .busy { headers[.retryAfter] = Self.retryAfter }
    case is NIOTooManyBytesError:
      self.init(
        .contentTooLarge, ErrorReply(InversionError(.invalidArgument, "the body is too large for '\(request.uri.path)'")))
    case let error as HTTPError where error.status == .notFound:
      self.init(
        .notFound,
        ErrorReply(InversionError(.notFound, "'\(request.uri.path)': no such route; see docs/protocol.md")))
    case let error as any HTTPResponseError:
      self.init(error.status, ErrorReply(InversionError(.invalidArgument, "\(error)")))
    default:
      self.init(.internalServerError, ErrorReply(InversionError(.internal, "\(failure)")))
    }
  }

  /// An answer of a status and a JSON body.
  init(_ status: HTTPResponse.Status, _ body: some Encodable) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // The protocol's types hold nothing that JSON cannot.
    let bytes = (try? encoder.encode(body)) ?? Data()
    self.init(
      status: status,
      headers: [.contentType: "application/json; charset=utf-8", .contentLength: "\(bytes.count)"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}

extension Request {
  /// Decodes the JSON body.
  /// - Throws: `.invalidArgument` naming the field; `NIOTooManyBytesError`.
  func json<T: Decodable>(_ type: T.Type, limit: Int) async throws -> T {
    let buffer = try await body.collect(upTo: limit)
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
      if context.codingPath.isEmpty { return "the body is not JSON; send a JSON object" }
      return "\(field(context.codingPath)): \(context.debugDescription)"
    @unknown default:
      return "the body cannot be read: \(self)"
    }
  }
}
