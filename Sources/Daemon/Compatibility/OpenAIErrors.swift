import Errors
import Hummingbird
import HummingbirdCore

/// A failure in OpenAI's words.
struct OpenAIError: Error {
  var status = HTTPResponse.Status.badRequest
  let message: String
  var parameter: String?
  var code: String?

  var body: JSONValue {
    let isOurs = status.kind == .serverError
    return [
      "error": [
        "message": .string(message), "type": .string(isOurs ? "server_error" : "invalid_request_error"),
        "param": parameter.map { .string($0) } ?? nil, "code": code.map { .string($0) } ?? nil,
      ]
    ]
  }
}

extension Response {
  /// The answer for an error on OpenAI's routes.
  init(openAI error: any Error, of request: Request) {
    let answer =
      switch error {
      case let error as OpenAIError: error
      case let error as FieldError:
        OpenAIError(message: "'\(error.field)': \(error.message)", parameter: error.field)
      case let error as InversionError:
        OpenAIError(status: error.code.httpStatus, message: error.message, code: error.code.rawValue)
      case let error as BodyTooLarge:
        OpenAIError(status: .contentTooLarge, message: "the body has more than \(error.limit) bytes")
      case let error as HTTPError where error.status == .notFound:
        OpenAIError(status: .notFound, message: "Invalid URL (\(request.method.rawValue) \(request.uri.path))")
      case let error as any HTTPResponseError: OpenAIError(status: error.status, message: "\(error)")
      default: OpenAIError(status: .internalServerError, message: "\(error)")
      }
    self.init(answer.status, answer.body)
  }
}
