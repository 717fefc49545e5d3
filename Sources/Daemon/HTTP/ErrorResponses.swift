import Errors
import FoundationEssentials
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
    case .notAllowed: .forbidden
    case .busy: .serviceUnavailable
    case .fileUnavailable, .badModel, .daemonUnavailable, .socketInUse, .diverged, .internal: .internalServerError
    }
  }
}

/// Whose words a route speaks.
private enum APIFamily {
  case native, a1111, openAI

  init(_ request: Request) {
    let path = request.uri.path
    self = path.hasPrefix("/sdapi/") ? .a1111 : path.hasPrefix("/v1/images/") ? .openAI : .native
  }
}

/// Gives every failure a JSON body, in the words of its route's family.
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
  /// Seconds after which a busy daemon may be asked again, where it knows no better.
  private static let retryAfter = 5

  /// The answer for an error of any kind.
  init(failure: any Error, of request: Request) {
    switch APIFamily(request) {
    case .native: self.init(native: failure, of: request)
    case .a1111: self.init(a1111: failure)
    case .openAI: self.init(openAI: failure, of: request)
    }
    if let error = failure as? InversionError, error.code == .busy {
      headers[.retryAfter] = String(error.retryAfter ?? Self.retryAfter)
    }
  }

  /// The answer for a wrong use of HTTP.
  init(_ status: HTTPResponse.Status, message: String, of request: Request) {
    switch APIFamily(request) {
    case .a1111: self.init(status, ["detail": .string(status.reasonPhrase)] as JSONValue)
    case .openAI: self.init(status, OpenAIError(message: message).body)
    case .native: self.init(status, ErrorReply(InversionError(.invalidArgument, message)))
    }
  }

  private init(native failure: any Error, of request: Request) {
    switch failure {
    case let error as InversionError:
      self.init(error.code.httpStatus, ErrorReply(error))
    case let error as BodyTooLarge:
      let message = "the body for '\(request.uri.path)' has more than \(error.limit) bytes"
      self.init(.contentTooLarge, ErrorReply(InversionError(.invalidArgument, message)))
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
    let bytes = json(body)
    self.init(
      status: status,
      headers: [.contentType: "application/json; charset=utf-8", .contentLength: "\(bytes.count)"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}

/// The protocol's JSON: sorted, so that equal answers are equal bytes.
func json(_ value: some Encodable) -> Data {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  do {
    return try encoder.encode(value)
  } catch {
    // No type of the protocol holds what JSON cannot: no number of theirs is NaN or infinite.
    preconditionFailure("\(error)")
  }
}
