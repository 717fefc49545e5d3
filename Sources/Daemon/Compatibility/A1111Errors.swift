import Errors
import Hummingbird
import HummingbirdCore

/// A failure in A1111's own words.
struct A1111Error: Error {
  let status: HTTPResponse.Status
  let detail: String

  static let samplerNotFound = A1111Error(status: .notFound, detail: "Sampler not found")
  static let invalidPicture = A1111Error(status: .unprocessableContent, detail: "Invalid encoded image")
}

extension Response {
  /// The answer for an error on A1111's routes: FastAPI's body for a request that does not fit its route, A1111's for
  /// everything else.
  init(a1111 error: any Error) {
    switch error {
    case let error as FieldError:
      let location: [JSONValue] = error.field.isEmpty ? ["body"] : ["body", .string(error.field)]
      self.init(
        .unprocessableContent,
        ["detail": [["loc": .array(location), "msg": .string(error.message), "type": .string(error.type)]]] as JSONValue
      )
    case let error as A1111Error:
      self.init(error.status, Self.a1111Body("HTTPException", error.detail, ""))
    case let error as InversionError:
      let status = error.code == .invalidArgument ? .unprocessableContent : error.code.httpStatus
      self.init(status, Self.a1111Body(error.code.rawValue, error.message, error.message))
    case let error as BodyTooLarge:
      self.init(.contentTooLarge, ["detail": .string("the body has more than \(error.limit) bytes")] as JSONValue)
    case let error as any HTTPResponseError:
      self.init(error.status, ["detail": .string(error.status.reasonPhrase)] as JSONValue)
    default:
      self.init(.internalServerError, Self.a1111Body("Exception", "", "\(error)"))
    }
  }

  private static func a1111Body(_ error: String, _ detail: String, _ errors: String) -> JSONValue {
    ["error": .string(error), "detail": .string(detail), "body": "", "errors": .string(errors)]
  }
}
